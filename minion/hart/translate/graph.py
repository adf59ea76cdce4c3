"""The control flow among blocks: what dominates what, which blocks are loops.

Theory of operation.  Nodes are the pcs of blocks, edges the jumps among them that are known when
translating.  An edge back to a node that dominates its source makes a loop.  Other edges against
the order (a loop with two entries) and loops nested too deeply are cut: they leave the function.
Dominators are computed as by Cooper, Harvey and Kennedy (2001).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

DEEPEST: Final = 8
"""Loops inside loops: CPython nests at most 20 blocks."""


class Graph:
    def __init__(self, entry: int, successors: dict[int, tuple[int, ...]]) -> None:
        """successors: of every node, those that are nodes."""
        self.entry = entry
        self._successors = successors
        self.order = self._postorder()[::-1]
        """Every edge but those back to loop heads leads forward in it."""
        self._rank = {node: index for index, node in enumerate(self.order)}
        self._forward: dict[int, list[int]] = {node: [] for node in self.order}
        back = self._split_edges()
        self.dominator = self._dominators()
        self.loops = self._loops(back)
        """Head -> the nodes of the loop."""
        self.cut = {edge for edge in back if edge[0] not in self.loops.get(edge[1], ())}

    def predecessors(self, node: int) -> list[int]:
        """Those before it in the order."""
        return self._forward[node]

    def heads(self, node: int) -> list[int]:
        """The loops that a node is in, innermost first; its own, if it is a head."""
        around = [head for head, body in self.loops.items() if node in body]
        return sorted(around, key=lambda head: -self._rank[head])

    def children(self) -> dict[int, list[int]]:
        """Under each node, the nodes whose code comes after its own, in order.

        A node comes after its dominator, but not inside a loop that it is not in: then after that
        whole loop, which its head stands for.
        """
        found: dict[int, list[int]] = {node: [] for node in self.order}
        for node in self.order[1:]:
            parent = self.dominator[node]
            for head in self.heads(parent):
                if node not in self.loops[head]:
                    parent = head
            found[parent].append(node)
        return found

    def reach(self, start: Callable[[int, set[str]], set[str]]) -> dict[int, set[str]]:
        """What holds before each node: the union over its predecessors of start(node, before)."""
        before: dict[int, set[str]] = {node: set() for node in self.order}
        changed = True
        while changed:
            changed = False
            for node in self.order:
                after = start(node, before[node])
                for successor in self._successors[node]:
                    if not after <= before[successor]:
                        before[successor] |= after
                        changed = True
        return before

    def reach_back(self, start: Callable[[int, set[str]], set[str]]) -> dict[int, set[str]]:
        """What holds before each node, computed from what holds before its successors."""
        before: dict[int, set[str]] = {node: set() for node in self.order}
        changed = True
        while changed:
            changed = False
            for node in reversed(self.order):
                after: set[str] = set().union(*[before[s] for s in self._successors[node]])
                new = start(node, after)
                if new != before[node]:
                    before[node] = new
                    changed = True
        return before

    def _postorder(self) -> list[int]:
        done: list[int] = []
        seen = {self.entry}
        stack = [(self.entry, iter(self._successors[self.entry]))]
        while stack:
            node, rest = stack[-1]
            for successor in rest:
                if successor not in seen:
                    seen.add(successor)
                    stack.append((successor, iter(self._successors[successor])))
                    break
            else:
                stack.pop()
                done.append(node)
        return done

    def _split_edges(self) -> list[tuple[int, int]]:
        """Fill the forward predecessors; returns the other edges."""
        back = []
        for node in self.order:
            for successor in dict.fromkeys(self._successors[node]):
                if self._rank[successor] > self._rank[node]:
                    self._forward[successor].append(node)
                else:
                    back.append((node, successor))
        return back

    def _dominators(self) -> dict[int, int]:
        """The graph of forward edges has no cycles: one pass is enough."""
        found = {self.entry: self.entry}
        for node in self.order[1:]:
            first, *others = self._forward[node]
            for other in others:
                while first != other:
                    if self._rank[first] > self._rank[other]:
                        first = found[first]
                    else:
                        other = found[other]
            found[node] = first
        return found

    def _dominates(self, a: int, b: int) -> bool:
        while self._rank[b] > self._rank[a]:
            b = self.dominator[b]
        return a == b

    def _loops(self, back: list[tuple[int, int]]) -> dict[int, set[int]]:
        loops: dict[int, set[int]] = {}
        for source, head in back:
            if self._dominates(head, source):
                body = loops.setdefault(head, {head})
                stack = [source]
                while stack:
                    node = stack.pop()
                    if node not in body:
                        body.add(node)
                        stack += self._forward[node]
                        stack += [s for s, h in back if h == node and self._dominates(h, s)]
        for head in [h for h in loops if sum(h in body for body in loops.values()) > DEEPEST]:
            del loops[head]
        return loops
