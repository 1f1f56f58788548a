"""The text of the C file that a graph becomes: its head, the functions for pictures, an example program."""

from __future__ import annotations

from collections.abc import Sequence

HEAD = """/* {title}
 *
 * Made by lenet {version}. One C99 file that needs math.h only: no allocation, weights are const.
 *
 *     void {name}_predict(const float *in, float *out);
 *
 * in {input} -> {output}, in C order, as the model was trained on them (already normalised).
 * Not for two threads at once: what lies in between is one array, as large as it has to be.
 * With -D{upper}_MAIN the file is a program that reads samples from stdin. */
#include <math.h>

#define {upper}_INPUTS {inputs}
#define {upper}_OUTPUTS {outputs}
#define {upper}_SCRATCH {scratch} /* floats in between, which lie in memory that is written */
#define {upper}_WEIGHTS {weights} /* numbers of four bytes, which are only read */
"""

PIXELS = """
/* The same of a picture's bytes {shape}, from 0 (black) to 255 (white): resized and normalised as in training. */
void {name}_predict_pixels(const unsigned char *pixels, float *out) {{
{body}}}"""

_MAIN = """
#ifdef {upper}_MAIN
#include <stdio.h>
#include <string.h>

/* Samples one after the other on stdin: floats with -f, else {bytes}. Prints {prints} of each. */
int main(int count, char **words) {{
  static float in[{upper}_INPUTS], out[{upper}_OUTPUTS];
{declared}  const int floats = count > 1 && !strcmp(words[1], "-f");
  while ({reads}) {{
    {runs}
{shows}  }}
  return 0;
}}
#endif
"""

_BEST = """    int best = 0;
    for (int i = 1; i < {upper}_OUTPUTS; i++) best = out[i] > out[best] ? i : best;
    printf("%s", classes[best]);
"""


def main_of(name: str, upper: str, classes: Sequence[str], pixels: int) -> str:
    """The example program.

    Args:
        name, upper: the file's name, and what its macros begin with.
        classes: the names of the outputs; none where they are no classes.
        pixels: bytes of a picture; 0 where the file takes numbers only.
    """
    declared, shows = (
        "",
        "    for (int i = 0; i < {upper}_OUTPUTS; i++) printf(\" %.9g\" + !i, (double)out[i]);\n    putchar('\\n');\n",
    )
    if classes:
        declared = f"  static const char *const classes[] = {{{', '.join(map(_string, classes))}}};\n"
        shows = _BEST + shows.replace('" %.9g" + !i', '" %.9g"')
    reads, runs, takes = "fread(in, sizeof in, 1, stdin) == 1", f"{name}_predict(in, out);", "floats, too"
    if pixels:
        declared += f"  static unsigned char bytes[{pixels}];\n"
        reads = "(floats ? fread(in, sizeof in, 1, stdin) : fread(bytes, sizeof bytes, 1, stdin)) == 1"
        runs = f"if (floats) {name}_predict(in, out);\n    else {name}_predict_pixels(bytes, out);"
        takes = "bytes of pictures"
    text = (
        _MAIN
        if pixels
        else _MAIN.replace('  const int floats = count > 1 && !strcmp(words[1], "-f");\n', "")
        .replace("int main(int count, char **words)", "int main(void)")
        .replace("#include <string.h>\n", "")
        .replace(": floats with -f, else {bytes}", ", as floats")
    )
    return text.format(
        upper=upper, bytes=takes, prints="the likeliest class and the outputs" if classes else "the outputs",
        declared=declared, reads=reads, runs=runs, shows=shows.format(upper=upper),
    )  # fmt: skip


def _string(text: str) -> str:
    """A text as C says it."""
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(plain)}"'
