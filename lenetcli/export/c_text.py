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

INT8_HEAD = """/* {title}
 *
 * Made by lenet {version}. One C99 file that needs math.h and stdint.h only: no allocation, weights are const,
 * all from bytes to bytes is integer arithmetic.
 *
 *     void {name}_predict_int8(const int8_t *in, int8_t *out);
 *     void {name}_predict(const float *in, float *out);
 *
 * in {input} -> {output}, in C order, as the model was trained on them (already normalised).
 * A byte stands for (byte - ZERO) * STEP. Not for two threads at once: what lies in between is one array, as large as
 * it has to be. With -D{upper}_MAIN the file is a program that reads samples from stdin. */
#include <math.h>
#include <stdint.h>

#define {upper}_INPUTS {inputs}
#define {upper}_OUTPUTS {outputs}
#define {upper}_SCRATCH {scratch} /* bytes in between, which lie in memory that is written */
#define {upper}_WEIGHTS {weights} /* bytes that are only read */
{grids}
"""

INT8_FLOATS = """
static void {name}_reals(const int8_t *scores, float *out) {{
{reals}}}

/* Floats in and out: the nearest bytes of them, and what bytes stand for. */
void {name}_predict(const float *in, float *out) {{
  static int8_t bytes[{upper}_INPUTS], scores[{upper}_OUTPUTS];
  for (int i = 0; i < {upper}_INPUTS; i++) bytes[i] = quantized(in[i], {steps}, {zero});
  {name}_predict_int8(bytes, scores);
  {name}_reals(scores, out);
}}"""

INT8_PICTURES = """
/* The same of a picture's bytes {shape}, from 0 (black) to 255 (white): {how}. */
void {name}_predict_uint8(const unsigned char *pixels, int8_t *out) {{
  static int8_t bytes[{upper}_INPUTS];
{body}  {name}_predict_int8(bytes, out);
}}

void {name}_predict_pixels(const unsigned char *pixels, float *out) {{
  static int8_t scores[{upper}_OUTPUTS];
  {name}_predict_uint8(pixels, scores);
  {name}_reals(scores, out);
}}"""


def main_of(name: str, upper: str, classes: Sequence[str], pixels: int) -> str:
    """The example program.

    Args:
        name, upper: what the file's names and its macros begin with.
        classes: the names of the outputs; none where they are no classes.
        pixels: bytes of a picture; 0 where the file takes numbers only.
    """
    takes = "floats with -f, else bytes of pictures" if pixels else "floats"
    gives = "the likeliest class and the outputs" if classes else "the outputs"
    lines = [
        f"\n#ifdef {upper}_MAIN",
        "#include <stdio.h>",
        *(["#include <string.h>"] if pixels else []),
        f"\n/* Samples one after the other on stdin: {takes}. Prints {gives} of each. */",
        f"int main({'int count, char **words' if pixels else 'void'}) {{",
        f"  static float in[{upper}_INPUTS], out[{upper}_OUTPUTS];",
    ]
    if classes:
        lines.append(f"  static const char *const classes[] = {{{', '.join(map(_string, classes))}}};")
    if pixels:
        lines += [
            f"  static unsigned char bytes[{pixels}];",
            '  const int floats = count > 1 && !strcmp(words[1], "-f");',
            "  while ((floats ? fread(in, sizeof in, 1, stdin) : fread(bytes, sizeof bytes, 1, stdin)) == 1) {",
            f"    if (floats) {name}_predict(in, out);",
            f"    else {name}_predict_pixels(bytes, out);",
        ]
    else:
        lines += ["  while (fread(in, sizeof in, 1, stdin) == 1) {", f"    {name}_predict(in, out);"]
    if classes:
        lines += [
            "    int best = 0;",
            f"    for (int i = 1; i < {upper}_OUTPUTS; i++) best = out[i] > out[best] ? i : best;",
            '    printf("%s ", classes[best]);',
        ]
    each = f"for (int i = 0; i < {upper}_OUTPUTS; i++)"
    lines += [
        f'    {each} printf("%s%.9g", i ? " " : "", (double)out[i]);',
        "    putchar('\\n');",
        "  }",
        "  return 0;",
        "}",
        "#endif\n",
    ]
    return "\n".join(lines)


def _string(text: str) -> str:
    """A text as C says it."""
    plain = (chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in text.encode())
    return f'"{"".join(plain)}"'
