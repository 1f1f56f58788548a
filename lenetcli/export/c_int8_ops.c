/* The operators of a net in integers: what an exported C file of int8 is made of.
 *
 * Each function is copied into the file as it stands here, with the comment and the types above it; Walk, Windows and
 * next come from c_ops.c. C99 and stdint.h, an int of 32 bits; tensors lie in C order, one after the other. No function
 * has the name of another's argument: whatever name stands in one is copied with it. */
#include <stdint.h>

/* How a whole number becomes a byte: what 0 is, and between which bytes it stays. */
typedef struct {
  int zero, low, high;
} Byte;

static int8_t byte(const Byte *b, int whole) {
  whole += b->zero;
  return (int8_t)(whole < b->low ? b->low : whole > b->high ? b->high : whole);
}

/* value / 2^shift to the nearest whole number, of two that are as near the even one. */
static int nearest(int value, int shift) {
  if (!shift) return value;
  const int size = value < 0 ? -value : value;
  const int found = (size + (1 << (shift - 1)) - 1 + (size >> shift & 1)) >> shift;
  return value < 0 ? -found : found;
}

/* value / count in the same way. */
static int quotient(int value, int count) {
  const int size = value < 0 ? -value : value;
  const int low = size / count, rest = size % count;
  const int found = low + (rest > count - rest || (rest == count - rest && low % 2));
  return value < 0 ? -found : found;
}

/* Rows of weights, a bias for each (in which the zero of what they take already is), what brings sums back to bytes. */
typedef struct {
  const int8_t *weight;
  const int *bias, *multiplier;
  const int8_t *shift;
  Byte to;
} Sums;

static int8_t back(const Sums *s, int row, int sum) {
  return byte(&s->to, nearest((s->bias[row] + sum) * s->multiplier[row], s->shift[row]));
}

/* The results of so many rows for x, each `step` places behind the one before; four rows read x once. */
static void each_row(const Sums *s, int row, int count, const int8_t *x, int size, int8_t *y, int step) {
  const int8_t *w = s->weight + row * size;
  for (int n = count / 4; n > 0; n--, w += 4 * size) {
    int sum[4] = {0, 0, 0, 0};
    for (int i = 0; i < size; i++) {
      sum[0] += x[i] * w[i], sum[1] += x[i] * w[i + size];
      sum[2] += x[i] * w[i + 2 * size], sum[3] += x[i] * w[i + 3 * size];
    }
    for (int u = 0; u < 4; u++, y += step) *y = back(s, row++, sum[u]);
  }
  for (int n = count % 4; n > 0; n--, w += size, y += step) {
    int sum = 0;
    for (int i = 0; i < size; i++) sum += x[i] * w[i];
    *y = back(s, row++, sum);
  }
}

/* Each window is laid out as one row first: zero is what lies around an image. */
static void conv(const Windows *a, int zero, const Sums *sums, const int8_t *x, int8_t *window, int8_t *y) {
  const int own = a->channels / a->group, out = a->out / a->group, pixels = a->height * a->width;
  for (int n = 0; n < a->images * a->group; n++, x += own * pixels, y += out * a->rows * a->columns)
    for (int p = 0; p < a->rows; p++)
      for (int q = 0; q < a->columns; q++) {
        int8_t *to = window;
        for (int c = 0; c < own; c++)
          for (int k = 0; k < a->kernel_h; k++) {
            const int h = p * a->stride_h - a->pad_h + k * a->step_h, there = h >= 0 && h < a->height;
            const int8_t *row = x + (c * a->height + (there ? h : 0)) * a->width;
            int w = q * a->stride_w - a->pad_w;
            for (int l = 0; l < a->kernel_w; l++, w += a->step_w)
              *to++ = (int8_t)(there && w >= 0 && w < a->width ? row[w] : zero);
          }
        const int size = (int)(to - window);
        each_row(sums, n % a->group * out, out, window, size, y + p * a->columns + q, a->rows * a->columns);
      }
}

/* y (count, columns) of x (count, inner). */
static void linear(const Sums *sums, const int8_t *x, int8_t *y, int count, int inner, int columns) {
  for (int i = 0; i < count; i++, x += inner, y += columns) each_row(sums, 0, columns, x, inner, y, 1);
}

static void max_pool(const Windows *a, const int8_t *x, int8_t *y) {
  for (int c = 0; c < a->images * a->channels; c++, x += a->height * a->width)
    for (int p = 0; p < a->rows; p++)
      for (int q = 0; q < a->columns; q++) {
        int8_t most = -128;
        for (int k = 0; k < a->kernel_h; k++)
          for (int l = 0; l < a->kernel_w; l++) {
            const int h = p * a->stride_h - a->pad_h + k * a->step_h, w = q * a->stride_w - a->pad_w + l * a->step_w;
            if (h < 0 || h >= a->height || w < 0 || w >= a->width) continue;
            if (x[h * a->width + w] > most) most = x[h * a->width + w];
          }
        *y++ = most;
      }
}

/* What a value is before it meets others: its byte, without the zero of its grid, by so many bits up. */
typedef struct {
  int zero, up;
} Grid;

static int lifted(const Grid *g, int value) { return (value - g->zero) * (1 << g->up); }

/* The mean of each window: of all of it, or of what lies on the image. */
static void average_pool(const Windows *a, int all, const Grid *from, const Byte *to, const int8_t *x, int8_t *y) {
  for (int c = 0; c < a->images * a->channels; c++, x += a->height * a->width)
    for (int p = 0; p < a->rows; p++)
      for (int q = 0; q < a->columns; q++) {
        int total = 0, seen = 0;
        for (int k = 0; k < a->kernel_h; k++)
          for (int l = 0; l < a->kernel_w; l++) {
            const int h = p * a->stride_h - a->pad_h + k, w = q * a->stride_w - a->pad_w + l;
            if (h < 0 || h >= a->height || w < 0 || w >= a->width) continue;
            total += lifted(from, x[h * a->width + w]);
            seen++;
          }
        *y++ = byte(to, quotient(total, all ? a->kernel_h * a->kernel_w : seen));
      }
}

/* The mean of each run of so many numbers. */
static void means(const Grid *from, const Byte *to, const int8_t *x, int8_t *y, int runs, int size) {
  for (int i = 0; i < runs; i++, x += size) {
    int total = 0;
    for (int j = 0; j < size; j++) total += lifted(from, x[j]);
    y[i] = byte(to, quotient(total, size));
  }
}

/* What makes one number of one: a table says what each byte becomes. */
static void look_up(const int8_t *table, const int8_t *x, int8_t *y, int size) {
  for (int i = 0; i < size; i++) y[i] = table[x[i] + 128];
}

static void copy(const Walk *walk, const int8_t *x, int8_t *y) {
  int index[8] = {0}, from = 0, to = 0;
  do
    y[to] = x[from];
  while (next(walk, index, &from, &to));
}

/* A copy on another grid. */
static void join(const Walk *walk, const Grid *grid, int down, const Byte *end, const int8_t *x, int8_t *y) {
  int index[8] = {0}, from = 0, to = 0;
  do
    y[to] = byte(end, nearest(lifted(grid, x[from]), down));
  while (next(walk, index, &from, &to));
}

/* y = f(a, b), where both are as large as y or repeated along some of its dimensions. */
static void pairs(const Walk *walk, const Grid *grids, int down, const Byte *to, const int8_t *a, const int8_t *b,
                  int8_t *y, int (*f)(int, int)) {
  int index[8] = {0}, i = 0, j = 0;
  do
    *y++ = byte(to, nearest(f(lifted(&grids[0], a[i]), lifted(&grids[1], b[j])), down));
  while (next(walk, index, &i, &j));
}

static int add(int a, int b) { return a + b; }
static int sub(int a, int b) { return a - b; }
static int mul(int a, int b) { return a * b; }

static void fill(int8_t *y, int size, int value) {
  for (int i = 0; i < size; i++) y[i] = (int8_t)value;
}

/* Rows of a table along a dimension of so many. */
static void gather(const int8_t *x, const int *places, int8_t *y, int outer, int size, int count, int inner) {
  for (int i = 0; i < outer; i++)
    for (int j = 0; j < count; j++)
      for (int k = 0; k < inner; k++) *y++ = x[(i * size + places[j]) * inner + k];
}

/* A number on a grid whose step is 1 / steps. */
static int8_t quantized(float x, float steps, int zero) {
  const float found = rintf(x * steps) + (float)zero;
  return (int8_t)(found != found ? zero : found < -128 ? -128 : found > 127 ? 127 : (int)found);
}
