/* For a debugger: calls, variables that are written and read, a loop, an end. */
#include "board.h"

volatile int counter;
volatile int table[4] = { 1, 2, 3, 4 };
volatile char text[8] = "before";

__attribute__((noinline)) int add(int a, int b)
{
    counter += a;
    return a + b;
}

__attribute__((noinline)) int sum(int n)
{
    int total = 0;
    for (int i = 0; i < n; i++)
        total = add(table[i], total);
    return total;
}

int main(void)
{
    int total = sum(4);
    print("total ");
    print_dec(total);
    print(" counter ");
    print_dec(counter);
    print(" ");
    print((const char *)text);
    print("\r\n");
    return total == 10 ? 0 : 1;
}
