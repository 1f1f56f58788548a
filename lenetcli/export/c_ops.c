/* ONNX's operators on float32, as far as nets need them: what an exported C file is made of.
 *
 * Each function is copied into the file as it stands here, with the comment and the types above it. C99 and math.h;
 * tensors lie in C order, one after the other. */
#include <math.h>

/* A walk through up to eight dimensions: their sizes, and what one step in each is in one array and in the other. */
typedef struct {
  int dims, size[8], from[8], to[8];
} Walk;

/* A convolution or pool of images: C in-channels of H x W, O out-channels of P x Q, windows of K x L. */
typedef struct {
  int images, channels, height, width, out, rows, columns, group;
  int kernel_h, kernel_w, stride_h, stride_w, pad_h, pad_w, step_h, step_w;
} Windows;

static void conv(const Windows *a, const float *x, const float *weight, const float *bias, float *y) {
  const int own = a->channels / a->group, taps = a->kernel_h * a->kernel_w;
  for (int n = 0; n < a->images; n++)
    for (int o = 0; o < a->out; o++) {
      const float *image = x + (n * a->channels + o / (a->out / a->group) * own) * a->height * a->width;
      for (int p = 0; p < a->rows; p++, y += a->columns) {
        for (int q = 0; q < a->columns; q++) y[q] = bias ? bias[o] : 0;
        for (int c = 0; c < own; c++)
          for (int k = 0; k < a->kernel_h; k++) {
            const int h = p * a->stride_h - a->pad_h + k * a->step_h;
            if (h < 0 || h >= a->height) continue;
            const float *row = image + (c * a->height + h) * a->width;
            for (int l = 0; l < a->kernel_w; l++) {
              const int left = l * a->step_w - a->pad_w;
              const int first = left < 0 ? (a->stride_w - 1 - left) / a->stride_w : 0;
              const int last = (a->width - 1 - left) / a->stride_w;
              const int end = a->width - 1 < left ? 0 : last < a->columns ? last + 1 : a->columns;
              const float w = weight[(o * own + c) * taps + k * a->kernel_w + l];
              for (int q = first; q < end; q++) y[q] += w * row[q * a->stride_w + left];
            }
          }
      }
    }
}

static void conv_transpose(const Windows *a, const float *x, const float *weight, const float *bias, float *y) {
  const int own = a->channels / a->group, own_out = a->out / a->group, taps = a->kernel_h * a->kernel_w;
  const int size = a->rows * a->columns;
  for (int n = 0; n < a->images; n++)
    for (int o = 0; o < a->out; o++, y += size) {
      for (int i = 0; i < size; i++) y[i] = bias ? bias[o] : 0;
      for (int c = o / own_out * own; c < (o / own_out + 1) * own; c++)
        for (int h = 0; h < a->height; h++)
          for (int w = 0; w < a->width; w++) {
            const float value = x[((n * a->channels + c) * a->height + h) * a->width + w];
            const float *filter = weight + (c * own_out + o % own_out) * taps;
            for (int k = 0; k < a->kernel_h; k++)
              for (int l = 0; l < a->kernel_w; l++) {
                const int p = h * a->stride_h - a->pad_h + k * a->step_h, q = w * a->stride_w - a->pad_w + l * a->step_w;
                if (p >= 0 && p < a->rows && q >= 0 && q < a->columns)
                  y[p * a->columns + q] += value * filter[k * a->kernel_w + l];
              }
          }
    }
}

static void max_pool(const Windows *a, const float *x, float *y) {
  for (int c = 0; c < a->images * a->channels; c++, x += a->height * a->width)
    for (int p = 0; p < a->rows; p++)
      for (int q = 0; q < a->columns; q++) {
        float most = -INFINITY;
        for (int k = 0; k < a->kernel_h; k++)
          for (int l = 0; l < a->kernel_w; l++) {
            const int h = p * a->stride_h - a->pad_h + k * a->step_h, w = q * a->stride_w - a->pad_w + l * a->step_w;
            if (h < 0 || h >= a->height || w < 0 || w >= a->width) continue;
            const float value = x[h * a->width + w];
            if (value > most || value != value) most = value; /* NaN stays */
          }
        *y++ = most;
      }
}

/* The mean of each window: of all of it, or of what lies on the image. */
static void average_pool(const Windows *a, int whole, const float *x, float *y) {
  for (int c = 0; c < a->images * a->channels; c++, x += a->height * a->width)
    for (int p = 0; p < a->rows; p++)
      for (int q = 0; q < a->columns; q++) {
        float sum = 0;
        int seen = 0;
        for (int k = 0; k < a->kernel_h; k++)
          for (int l = 0; l < a->kernel_w; l++) {
            const int h = p * a->stride_h - a->pad_h + k, w = q * a->stride_w - a->pad_w + l;
            if (h < 0 || h >= a->height || w < 0 || w >= a->width) continue;
            sum += x[h * a->width + w];
            seen++;
          }
        *y++ = sum / (float)(whole ? a->kernel_h * a->kernel_w : seen);
      }
}

/* The mean of each run of so many numbers. */
static void means(const float *x, float *y, int runs, int size) {
  for (int i = 0; i < runs; i++, x += size) {
    double sum = 0;
    for (int j = 0; j < size; j++) sum += x[j];
    y[i] = (float)(sum / size);
  }
}

/* A factor and a sum for each channel. */
static void scale(const float *x, const float *factor, const float *shift, float *y, int images, int channels, int size) {
  for (int n = 0; n < images; n++)
    for (int c = 0; c < channels; c++)
      for (int i = 0; i < size; i++, x++, y++) *y = *x * factor[c] + shift[c];
}

/* Each run of so many numbers with mean 0 and variance 1, then a factor and a sum: of each place in the run, or (turn
 * other than 0) one for each of so many runs. */
static void normalize(const float *x, const float *factor, const float *shift, float *y, int runs, int size, int turn,
                      float epsilon) {
  for (int i = 0; i < runs; i++, x += size, y += size) {
    double sum = 0, squares = 0;
    for (int j = 0; j < size; j++) sum += x[j];
    const double mean = sum / size;
    for (int j = 0; j < size; j++) squares += (x[j] - mean) * (x[j] - mean);
    const double root = sqrt(squares / size + epsilon);
    for (int j = 0; j < size; j++) {
      const int at = turn ? i % turn : j;
      y[j] = (float)((x[j] - mean) / root) * (factor ? factor[at] : 1) + (shift ? shift[at] : 0);
    }
  }
}

/* y (rows, columns) = x (rows, inner) by the rows of weight (columns, inner). */
static void linear(const float *x, const float *weight, const float *bias, float *y, int rows, int inner, int columns) {
  for (int i = 0; i < rows; i++, x += inner)
    for (int j = 0; j < columns; j++) {
      const float *w = weight + j * inner;
      float sum[4] = {0, 0, 0, 0}; /* four sums, which do not wait for one another */
      int k = 0;
      for (; k + 4 <= inner; k += 4)
        for (int u = 0; u < 4; u++) sum[u] += x[k + u] * w[k + u];
      for (; k < inner; k++) sum[0] += x[k] * w[k];
      *y++ = (sum[0] + sum[1]) + (sum[2] + sum[3]) + (bias ? bias[j] : 0);
    }
}

/* So many products y (rows, columns) = a (rows, inner) b (inner, columns); a step of 0 is the same matrix each time. */
static void matmul(const float *a, const float *b, float *y, int times, int a_step, int b_step, int rows, int inner,
                   int columns) {
  for (int n = 0; n < times; n++, a += a_step, b += b_step)
    for (int i = 0; i < rows; i++, y += columns) {
      for (int j = 0; j < columns; j++) y[j] = 0;
      for (int k = 0; k < inner; k++)
        for (int j = 0; j < columns; j++) y[j] += a[i * inner + k] * b[k * columns + j];
    }
}

/* Along a dimension of so many, behind `outer` and before `inner` others. */
static void softmax(const float *x, float *y, int outer, int size, int inner, int logarithm) {
  for (int i = 0; i < outer; i++)
    for (int j = 0; j < inner; j++) {
      const int at = i * size * inner + j;
      float most = x[at], sum = 0;
      for (int k = 1; k < size; k++) most = x[at + k * inner] > most ? x[at + k * inner] : most;
      for (int k = 0; k < size; k++) sum += expf(x[at + k * inner] - most);
      for (int k = 0; k < size; k++) {
        const float value = x[at + k * inner] - most;
        y[at + k * inner] = logarithm ? value - logf(sum) : expf(value) / sum;
      }
    }
}

static void each(int size, const float *x, float *y, float (*f)(float)) {
  for (int i = 0; i < size; i++) y[i] = f(x[i]);
}

static void each_with(int size, const float *x, float *y, float (*f)(float, float, float), float p, float q) {
  for (int i = 0; i < size; i++) y[i] = f(x[i], p, q);
}

/* The next place of a walk: 0 behind the last one. */
static int next(const Walk *walk, int *index, int *from, int *to) {
  for (int d = walk->dims - 1; d >= 0; d--) {
    *from += walk->from[d], *to += walk->to[d];
    if (++index[d] < walk->size[d]) return 1;
    *from -= index[d] * walk->from[d], *to -= index[d] * walk->to[d];
    index[d] = 0;
  }
  return 0;
}

static void copy(const Walk *walk, const float *x, float *y) {
  int index[8] = {0}, from = 0, to = 0;
  do
    y[to] = x[from];
  while (next(walk, index, &from, &to));
}

static void fill(float *y, int size, float value) {
  for (int i = 0; i < size; i++) y[i] = value;
}

/* y = f(a, b), where both are as large as y or repeated along some of its dimensions. */
static void pairs(const Walk *walk, const float *a, const float *b, float *y, float (*f)(float, float)) {
  int index[8] = {0}, from = 0, to = 0;
  do
    *y++ = f(a[from], b[to]);
  while (next(walk, index, &from, &to));
}

/* y = f(a, b) of as many numbers. */
static void alike(int size, const float *a, const float *b, float *y, float (*f)(float, float)) {
  for (int i = 0; i < size; i++) y[i] = f(a[i], b[i]);
}

/* What x has along some dimensions, put together: y[to] = f(y[to], x[from]). */
static void reduce(const Walk *walk, const float *x, float *y, int size, float start, float (*f)(float, float)) {
  int index[8] = {0}, from = 0, to = 0;
  fill(y, size, start);
  do
    y[to] = f(y[to], x[from]);
  while (next(walk, index, &from, &to));
}

static void shrink(float *y, int size, float factor) {
  for (int i = 0; i < size; i++) y[i] *= factor;
}

/* Rows of a table along a dimension of so many. */
static void gather(const float *x, const int *places, float *y, int outer, int size, int count, int inner) {
  for (int i = 0; i < outer; i++)
    for (int j = 0; j < count; j++)
      for (int k = 0; k < inner; k++) *y++ = x[(i * size + places[j]) * inner + k];
}

/* One dimension in another size: each new number is a weighted sum of `taps` old ones. */
static void rescale(const float *x, float *y, int outer, int size, int out, int inner, int taps, const int *places,
                    const float *weights) {
  for (int i = 0; i < outer; i++)
    for (int j = 0; j < out; j++)
      for (int k = 0; k < inner; k++, y++) {
        *y = 0;
        for (int t = 0; t < taps; t++) *y += weights[t * out + j] * x[(i * size + places[t * out + j]) * inner + k];
      }
}

static float add(float a, float b) { return a + b; }
static float sub(float a, float b) { return a - b; }
static float mul(float a, float b) { return a * b; }
static float divide(float a, float b) { return a / b; }
static float larger(float a, float b) { return a > b || a != a ? a : b; }
static float smaller(float a, float b) { return a < b || a != a ? a : b; }
static float prelu(float x, float slope) { return x > 0 ? x : slope * x; }

static float relu(float x) { return x > 0 || x != x ? x : 0; }
static float negative(float x) { return -x; }
static float reciprocal(float x) { return 1 / x; }
static float sigmoid(float x) {
  const float small = expf(-fabsf(x));
  return x >= 0 ? 1 / (1 + small) : small / (1 + small);
}
static float softplus(float x) { return (x > 0 ? x : 0) + log1pf(expf(-fabsf(x))); }
static float softsign(float x) { return x / (1 + fabsf(x)); }
static float selu(float x) { return 1.0507009873554805f * (x > 0 ? x : 1.6732632423543772f * expm1f(x)); }
static float hard_swish(float x) { return x * (x < -3 ? 0 : x > 3 ? 1 : x / 6 + 0.5f); }

static float clip(float x, float low, float high) { return x < low ? low : x > high ? high : x; }
static float elu(float x, float alpha, float none) { return x > 0 ? x : alpha * expm1f(x) + none; }
static float leaky_relu(float x, float alpha, float none) { return x > 0 ? x : alpha * x + none; }
static float hard_sigmoid(float x, float alpha, float beta) { return clip(alpha * x + beta, 0, 1); }

static float dot(const float *a, const float *b, int size) {
  float sum = 0;
  for (int i = 0; i < size; i++) sum += a[i] * b[i];
  return sum;
}

/* Recurrent layers over (steps, runs, inner) -> y (steps, runs, size) and the last state. Rows of weight, of recurrence and
 * of bias (its two halves) are gate by gate as ONNX has them; h is the first state, or 0. */
typedef struct {
  int steps, runs, inner, size, gates, reverse;
} Steps;

/* What inputs (of == 0) and the state before (of == 1) add to a gate of a unit. */
static float gate(const Steps *a, const float *rows, const float *bias, const float *values, int g, int unit, int of) {
  const int row = g * a->size + unit, length = of ? a->size : a->inner;
  const float sum = values ? dot(rows + row * length, values, length) : 0;
  return sum + (bias ? bias[of * a->gates * a->size + row] : 0);
}

static void rnn(const Steps *a, const float *x, const float *weight, const float *recurrence, const float *bias,
                const float *h, float *y, float *last, float (*f)(float)) {
  const int state = a->runs * a->size;
  for (int i = 0; i < a->steps; i++) {
    const int t = a->reverse ? a->steps - 1 - i : i;
    for (int n = 0; n < a->runs; n++)
      for (int j = 0; j < a->size; j++) {
        const float *in = x + (t * a->runs + n) * a->inner, *before = h ? h + n * a->size : 0;
        y[t * state + n * a->size + j] =
            f(gate(a, weight, bias, in, 0, j, 0) + gate(a, recurrence, bias, before, 0, j, 1));
      }
    h = y + t * state;
  }
  for (int i = 0; i < state; i++) last[i] = h[i];
}

static void gru(const Steps *a, const float *x, const float *weight, const float *recurrence, const float *bias,
                const float *h, float *y, float *last) {
  const int state = a->runs * a->size;
  for (int i = 0; i < a->steps; i++) {
    const int t = a->reverse ? a->steps - 1 - i : i;
    for (int n = 0; n < a->runs; n++)
      for (int j = 0; j < a->size; j++) {
        const float *in = x + (t * a->runs + n) * a->inner, *before = h ? h + n * a->size : 0;
        float added[3], kept[3];
        for (int g = 0; g < 3; g++) {
          added[g] = gate(a, weight, bias, in, g, j, 0);
          kept[g] = gate(a, recurrence, bias, before, g, j, 1);
        }
        const float z = sigmoid(added[0] + kept[0]), r = sigmoid(added[1] + kept[1]);
        y[t * state + n * a->size + j] = (1 - z) * tanhf(added[2] + r * kept[2]) + (before ? z * before[j] : 0);
      }
    h = y + t * state;
  }
  for (int i = 0; i < state; i++) last[i] = h[i];
}

/* The cells are kept in `cell`, which begins with c, or with zeros. */
static void lstm(const Steps *a, const float *x, const float *weight, const float *recurrence, const float *bias,
                 const float *h, const float *c, float *y, float *last, float *cell) {
  const int state = a->runs * a->size;
  for (int i = 0; i < state; i++) cell[i] = c ? c[i] : 0;
  for (int i = 0; i < a->steps; i++) {
    const int t = a->reverse ? a->steps - 1 - i : i;
    for (int n = 0; n < a->runs; n++)
      for (int j = 0; j < a->size; j++) {
        const float *in = x + (t * a->runs + n) * a->inner, *before = h ? h + n * a->size : 0;
        float sum[4], *own = cell + n * a->size + j;
        for (int g = 0; g < 4; g++)
          sum[g] = gate(a, weight, bias, in, g, j, 0) + gate(a, recurrence, bias, before, g, j, 1);
        *own = sigmoid(sum[2]) * *own + sigmoid(sum[0]) * tanhf(sum[3]);
        y[t * state + n * a->size + j] = sigmoid(sum[1]) * tanhf(*own);
      }
    h = y + t * state;
  }
  for (int i = 0; i < state; i++) last[i] = h[i];
}
