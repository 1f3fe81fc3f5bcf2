/* mandelbrot.c - a C program that is compiled and run in one job, and leaves a picture behind:
 *
 *     coop run --file examples/exec/mandelbrot.c --output mandelbrot.pgm --output-dir /tmp/pictures -- \
 *         sh -c 'cc -O2 -o mandelbrot mandelbrot.c && ./mandelbrot 60 24'
 *
 * The compiler is the host's, seen read-only; the program, its object files and the picture live in the job's own work directory.
 */
#include <stdio.h>
#include <stdlib.h>

enum { DEPTH = 255 };

/* How many steps until the point leaves the circle of radius 2; DEPTH: it never does. */
static int steps(double re, double im)
{
    double x = 0, y = 0;
    int n = 0;

    while (n < DEPTH && x * x + y * y <= 4) {
        double next = x * x - y * y + re;

        y = 2 * x * y + im;
        x = next;
        n++;
    }
    return n;
}

static int point(int column, int row, int columns, int rows)
{
    return steps(-2.2 + 3.2 * column / columns, -1.2 + 2.4 * row / rows);
}

static int write_picture(const char *path, int columns, int rows)
{
    FILE *out = fopen(path, "w");

    if (out == NULL)
        return -1;
    fprintf(out, "P2 %d %d %d\n", columns, rows, DEPTH);
    for (int row = 0; row < rows; row++)
        for (int column = 0; column < columns; column++)
            fprintf(out, "%d\n", DEPTH - point(column, row, columns, rows));
    return fclose(out);
}

int main(int argc, char **argv)
{
    static const char shades[] = " .:-=+*#%@";
    int columns = argc > 1 ? atoi(argv[1]) : 60, rows = argc > 2 ? atoi(argv[2]) : 24;

    for (int row = 0; row < rows; row++) {
        for (int column = 0; column < columns; column++)
            putchar(shades[point(column, row, columns, rows) * (int)(sizeof(shades) - 2) / DEPTH]);
        putchar('\n');
    }
    return write_picture("mandelbrot.pgm", columns * 8, rows * 16) == 0 ? 0 : 1;
}
