// Convolutions of any window, channels-last, as matrix products (product.h) of a strip of output rows at a time:
//
//     columns[p q, k l c] = x[p stride + k dilation - padding, q stride + l dilation - padding, c]
//     y = columns W                      (pixels, K L C) @ (K L C, O)
//     d_W = columns' d
//     d_columns = d W', added up where columns show the same pixel
//
// A strip's columns stay in the cache. Its pixels are first copied into a frame of zeros, whatever memory order they
// come in; a 1x1 convolution reads them where they lie. Reference twin: lenetcli/kernels/conv.py.
#pragma once

#include <math.h>

#include "conv_forward.h"
#include "kernels.h"
#include "product.h"

namespace {

constexpr int STRIP_FLOATS = 1 << 16;  // of columns: a part of a second-level cache
constexpr int STRIP_LEAST = 24, STRIP_MOST = 256;  // pixels

INLINE int taps_of(const PixelConv& a) { return a.kernel_h * a.kernel_w; }
INLINE int depth_of(const PixelConv& a) { return taps_of(a) * a.channels; }
INLINE int panels_of(int columns) { return (columns + PANEL - 1) / PANEL; }

// A pixel is its own column, and pixels lie one after the other.
INLINE bool is_pointwise(const PixelConv& a) {
  return taps_of(a) == 1 && a.rows == a.height && a.columns == a.width && a.pad_h == 0 && a.pad_w == 0 &&
         a.x.c == 1 && a.x.h == a.width * a.x.w && a.x.n == a.height * a.x.h;
}

// Floats from one column to the next: many columns a power of two apart would share a part of the cache.
INLINE int64_t column_step(const PixelConv& a) { return depth_of(a) % 128 ? depth_of(a) : depth_of(a) + 16; }

// Output rows of all images, one after the other, that are taken together.
INLINE int strip_rows(const PixelConv& a) {
  int pixels = STRIP_FLOATS / depth_of(a);
  pixels = pixels < STRIP_LEAST ? STRIP_LEAST : pixels > STRIP_MOST ? STRIP_MOST : pixels;
  return pixels < a.columns ? 1 : pixels / a.columns;
}

INLINE int frame_columns(const PixelConv& a) { return a.width + 2 * a.pad_w; }
INLINE int frame_rows(const PixelConv& a, int rows) {
  return (rows - 1) * a.stride_h + (a.kernel_h - 1) * a.dilation_h + 1;
}
INLINE size_t frame_size(const PixelConv& a) {
  return (size_t)frame_rows(a, strip_rows(a)) * frame_columns(a) * a.channels + L;
}
INLINE size_t columns_size(const PixelConv& a) { return (size_t)strip_rows(a) * a.columns * column_step(a) + L; }

// Copies whole vectors: up to L - 1 floats more than asked for.
INLINE void copy_vectors(const float* from, float* to, int64_t count) {
  for (int64_t i = 0; i < count; i += L) store(to + i, load(from + i));
}

// The pixels that so many output rows of an image see, from row `row` on, with zeros around.
void fill_frame(const PixelConv& a, int image, int row, int rows, float* to) {
  const int64_t width = (int64_t)frame_columns(a) * a.channels, border = (int64_t)a.pad_w * a.channels;
  const float* x = a.x.data + image * a.x.n;
  const int first = row * a.stride_h - a.pad_h, count = frame_rows(a, rows);
  for (int r = 0; r < count; r++, to += width) {
    const int h = first + r;
    if (h < 0 || h >= a.height) {
      memset(to, 0, 4 * width);
      continue;
    }
    memset(to, 0, 4 * border);
    memset(to + width - border, 0, 4 * border);
    const float* from = x + h * a.x.h;
    float* pixel = to + border;
    if (a.x.c == 1 && a.x.w == a.channels)
      memcpy(pixel, from, 4 * (int64_t)a.width * a.channels);
    else if (a.x.c == 1)  // channels of a group
      for (int w = 0; w < a.width; w++) memcpy(pixel + (int64_t)w * a.channels, from + w * a.x.w, 4 * a.channels);
    else
      for (int c = 0; c < a.channels; c++)
        for (int w = 0; w < a.width; w++) pixel[(int64_t)w * a.channels + c] = from[c * a.x.c + w * a.x.w];
  }
}

// Calls body(image, row in it, how many, where they are in the strip) for the rows of each image in a strip.
template <class Body>
INLINE void each_image(const PixelConv& a, int first, int rows, Body body) {
  for (int done = 0; done < rows;) {
    const int image = (first + done) / a.rows, row = (first + done) % a.rows;
    const int count = a.rows - row < rows - done ? a.rows - row : rows - done;
    body(image, row, count, done);
    done += count;
  }
}

// The columns of a strip: (rows Q, K L C).
void fill_columns(const PixelConv& a, int first, int rows, float* frame, float* to) {
  const int64_t width = (int64_t)frame_columns(a) * a.channels, step = column_step(a);
  const bool dense = a.dilation_w == 1;  // a window's row is one run of memory
  const int runs = dense ? 1 : a.kernel_w;
  const int64_t run = dense ? (int64_t)a.kernel_w * a.channels : a.channels;
  each_image(a, first, rows, [&](int image, int row, int count, int) {
    fill_frame(a, image, row, count, frame);
    for (int p = 0; p < count; p++)
      for (int q = 0; q < a.columns; q++, to += step) {
        const float* from = frame + p * a.stride_h * width + (int64_t)q * a.stride_w * a.channels;
        for (int k = 0; k < a.kernel_h; k++, from += a.dilation_h * width)
          for (int l = 0; l < runs; l++)
            copy_vectors(from + (int64_t)l * a.dilation_w * a.channels, to + (k * runs + l) * run, run);
      }
  });
}

// Adds columns to the pixels that they show, those of the image's channels.
void add_columns(const PixelConv& a, int first, int rows, const float* from) {
  const int depth = depth_of(a);
  const int run = a.dilation_w == 1 && a.x.w == a.channels ? a.kernel_w : 1;  // taps that show neighbours in memory
  each_image(a, first, rows, [&](int image, int row, int count, int) {
    for (int p = row; p < row + count; p++)
      for (int q = 0; q < a.columns; q++, from += depth)
        for (int k = 0; k < a.kernel_h; k++) {
          const int h = p * a.stride_h + k * a.dilation_h - a.pad_h;
          if (h < 0 || h >= a.height) continue;
          for (int l = 0; l < a.kernel_w; l += run) {
            const int at = q * a.stride_w + l * a.dilation_w - a.pad_w, before = at < 0 ? -at : 0;
            const int end = at + run > a.width ? a.width - at : run;
            if (before >= end) continue;
            float* to = a.x.data + image * a.x.n + h * a.x.h + (at + before) * a.x.w;
            const float* more = from + (k * a.kernel_w + l + before) * a.channels;
            const int count = (end - before) * a.channels;
            int c = 0;
            for (; c + L <= count; c += L) store(to + c, load(to + c) + load(more + c));
            if (c < count) store_part(to + c, count - c, load_part(to + c, count - c) + load_part(more + c, count - c));
          }
        }
  });
}

// The weight (O, C, K, L), or turned (C, O, K, L) and turned round, in the order of columns: (K L C, O) as panels for y,
// (O, K L C) as panels for d_x. `lines` is memory for O K L C floats.
size_t pixel_weight_size(const PixelConv& a, bool back) {
  return back ? (size_t)panels_of(depth_of(a)) * PANEL * a.out : (size_t)panels_of(a.out) * PANEL * depth_of(a);
}
void pixel_weight(const PixelConv& a, bool back, float* lines, float* to) {
  const int taps = taps_of(a), depth = depth_of(a);
  for (int64_t o = 0; o < a.out; o++)
    for (int c = 0; c < a.channels; c++) {
      const float* from = a.weight + (a.turned ? c * (int64_t)a.out + o : o * a.channels + c) * taps;
      for (int k = 0; k < taps; k++) lines[o * depth + k * a.channels + c] = from[a.turned ? taps - 1 - k : k];
    }
  Product p = {};
  p.b = lines, p.k = back ? a.out : depth, p.n = back ? depth : a.out;
  p.b_row = back ? depth : 1, p.b_col = back ? 1 : depth;
  for (int panel = 0; panel < panels_of(p.n); panel++, to += (int64_t)p.k * PANEL) pack_panel(p, panel, to);
}

INLINE void whole_product(const Product& p, const float* packed) {
  product_unit(p, {0, 0, panels_of(p.n), 0, (p.m + ROWS - 1) / ROWS}, packed);
}

// Memory for a strip: columns, and the frame they come from, or gradients as panels.
size_t pixel_room(const PixelConv& a) {
  return columns_size(a) + frame_size(a) + (size_t)strip_rows(a) * a.columns * panels_of(a.out) * PANEL;
}

// Adds the bias to pixels of so many channels, `step` floats apart; relu.
void finish_pixels(const PixelConv& a, int64_t pixels, int channels, int64_t step, float* y) {
  if (!a.bias && !a.relu) return;
  const Vec least = a.relu ? splat(0) : splat(-INFINITY);
  for (int64_t i = 0; i < pixels; i++, y += step)
    for (int o = 0; o < channels; o += L) {
      const Vec v = load_part(y + o, channels - o) + (a.bias ? load_part(a.bias + o, channels - o) : (Vec){});
      store_part(y + o, channels - o, choose(v < least, least, v));
    }
}

// Panel number `panel` of a matrix whose rows lie in memory as rows: (K, PANEL).
void pack_lines(const Product& p, int panel, float* to) {
  const int first = panel * PANEL;
  for (int k = 0; k < p.k; k++, to += PANEL)
    for (int v = 0; v < PANEL; v += L) {
      const int left = p.n - first - v;
      store(to + v, left > 0 ? load_part(p.b + k * p.b_row + first + v, left) : (Vec){});
    }
}

// Output rows `first` to `end` of all images.
void pixel_forward(const PixelConv& a, int first, int end, const float* weight, float* scratch) {
  const int strip = strip_rows(a), depth = depth_of(a);
  for (; first < end; first += strip) {
    const int rows = end - first < strip ? end - first : strip;
    const int64_t pixels = (int64_t)rows * a.columns, before = (int64_t)first * a.columns;
    Product p = {};
    p.m = pixels, p.n = a.out, p.k = depth, p.a_row = column_step(a), p.a_col = 1, p.c_row = a.y.w, p.c_col = 1;
    p.c = a.y.data + before * a.y.w;
    if (is_pointwise(a)) {
      p.a = a.x.data + before * a.x.w, p.a_row = a.x.w;
    } else {
      fill_columns(a, first, rows, scratch + columns_size(a), scratch);
      p.a = scratch;
    }
    whole_product(p, weight);
    finish_pixels(a, pixels, a.out, a.y.w, p.c);
  }
}

// The sums (K L C, O) over output rows `first` to `end`.
void pixel_gradient(const PixelConv& a, int first, int end, float* scratch, float* sums) {
  const int strip = strip_rows(a), depth = depth_of(a);
  float* packed = scratch + columns_size(a) + frame_size(a);
  for (const int start = first; first < end; first += strip) {
    const int rows = end - first < strip ? end - first : strip;
    const int64_t pixels = (int64_t)rows * a.columns, before = (int64_t)first * a.columns;
    Product p = {};
    p.m = depth, p.n = a.out, p.k = pixels, p.a_row = 1, p.a_col = column_step(a), p.c_row = a.out, p.c_col = 1;
    p.b = a.y.data + before * a.y.w, p.b_row = a.y.w, p.b_col = 1, p.c = sums, p.add = first > start;
    if (is_pointwise(a)) {
      p.a = a.x.data + before * a.x.w, p.a_col = a.x.w;
    } else {
      fill_columns(a, first, rows, scratch + columns_size(a), scratch);
      p.a = scratch;
    }
    for (int panel = 0; panel < panels_of(a.out); panel++)
      pack_lines(p, panel, packed + (int64_t)panel * pixels * PANEL);
    whole_product(p, packed);
  }
}

// (K L C, O) -> (O, C, K, L), or turned (C, O, K, L) and turned round.
void pixel_filters(const PixelConv& a, const float* sums, float* d_weight) {
  const int taps = taps_of(a);
  for (int o = 0; o < a.out; o += L) {
    const int left = a.out - o < L ? a.out - o : L;
    for (int c = 0; c < a.channels; c++)
      for (int k = 0; k < taps; k++) {
        float lanes[L];
        store(lanes, load_part(sums + ((int64_t)k * a.channels + c) * a.out + o, a.out - o));
        for (int l = 0; l < left; l++) {
          const int64_t filter = a.turned ? c * (int64_t)a.out + o + l : (o + l) * (int64_t)a.channels + c;
          d_weight[filter * taps + (a.turned ? taps - 1 - k : k)] = lanes[l];
        }
      }
  }
}

// The gradient of the pixels of images `first` to `end`, which `weight` has panels for; a forward pass where turned, with
// bias and relu.
void pixel_input(const PixelConv& a, int first, int end, const float* weight, float* scratch) {
  const int strip = strip_rows(a), depth = depth_of(a);
  for (int n = first; n < end && !is_pointwise(a); n++)
    for (int h = 0; h < a.height; h++)
      for (int w = 0; w < a.width; w++) memset(a.x.data + n * a.x.n + h * a.x.h + w * a.x.w, 0, 4 * a.channels);
  const int last = end, start = first;
  end *= a.rows;
  for (first *= a.rows; first < end; first += strip) {
    const int rows = end - first < strip ? end - first : strip;
    const int64_t pixels = (int64_t)rows * a.columns, before = (int64_t)first * a.columns;
    Product p = {};
    p.m = pixels, p.n = depth, p.k = a.out, p.a = a.y.data + before * a.y.w, p.a_row = a.y.w, p.a_col = 1;
    p.c = scratch, p.c_row = depth, p.c_col = 1;
    if (is_pointwise(a)) p.c = a.x.data + before * a.x.w, p.c_row = a.x.w;
    whole_product(p, weight);
    if (!is_pointwise(a)) add_columns(a, first, rows, scratch);
  }
  finish_pixels(a, (int64_t)(last - start) * a.height * a.width, a.channels, a.x.w, a.x.data + start * a.x.n);
}

INLINE void store_winners(uint8_t* to, int count, Mask winner) {
  if (count >= L) return store_bytes(to, winner);
  for (int l = 0; l < count; l++) to[l] = winner[l];
}

// 2x2 max-pooling of a relu'd x, channels c, to y; output rows `first` to `end` of all images. A winner is 4 where none
// is above zero, see conv_forward.h.
void pixel_pool(const PixelConv& a, uint8_t* winner, int first, int end) {
  winner += (int64_t)first * a.columns * a.channels;
  for (; first < end; first++) {
    const float* x = a.x.data + first / a.rows * a.x.n + first % a.rows * 2 * a.x.h;
    float* y = a.y.data + (int64_t)first * a.columns * a.channels;
    for (int q = 0; q < a.columns; q++, x += 2 * a.x.w, y += a.channels, winner += a.channels)
      for (int c = 0; c < a.channels; c += L) {
        const int left = a.channels - c;
        const float *p = x + c, *below = p + a.x.h;
        const Vec four[4] = {load_part(p, left), load_part(p + a.x.w, left), load_part(below, left),
                             load_part(below + a.x.w, left)};
        const Best b = best_of(four);
        store_part(y + c, left, b.value);
        store_winners(winner + c, left, b.winner);
      }
  }
}

// Its gradient: x from y.
void pixel_pool_backward(const PixelConv& a, const uint8_t* winner, int first, int end) {
  winner += (int64_t)first * a.columns * a.channels;
  for (; first < end; first++) {
    const int row = first % a.rows;
    float* x = a.x.data + first / a.rows * a.x.n + row * 2 * a.x.h;
    const float* grad = a.y.data + (int64_t)first * a.columns * a.channels;
    for (int q = 0; q < a.columns; q++, grad += a.channels, winner += a.channels)
      for (int c = 0; c < a.channels; c += L) {
        const int left = a.channels - c;
        const Vec g = load_part(grad + c, left);
        Mask won = {};
        if (left >= L) won = load_bytes(winner + c);
        else
          for (int l = 0; l < left; l++) won[l] = winner[c + l];
        float* to = x + 2 * q * a.x.w + c;
        for (int k = 0; k < 4; k++)
          store_part(to + k / 2 * a.x.h + k % 2 * a.x.w, left, choose(won == splat_int(k), g, (Vec){}));
      }
    const int64_t rest = a.width - 2 * a.columns, pixel = 2 * a.columns * a.x.w;
    for (int k = 0; k < 2; k++) memset(x + k * a.x.h + pixel, 0, 4 * rest * a.channels);
    if (row + 1 == a.rows && a.height % 2) memset(x + 2 * a.x.h, 0, 4 * (int64_t)a.width * a.channels);
  }
}

// Sums of columns over pixels `first` to `end` of (M, C): in sums of STRIP_LEAST pixels, then of those. Pixels are read
// in the order of memory, sums of a stretch of channels stay in the cache.
void pixel_sums(const float* x, int64_t first, int64_t end, int channels, float* sums) {
  constexpr int STRETCH_OF = 64;  // vectors
  Vec total[STRETCH_OF];
  for (; first < end; first += STRIP_LEAST) {
    const int64_t to = end - first < STRIP_LEAST ? end : first + STRIP_LEAST;
    for (int from = 0; from < channels; from += STRETCH_OF * L) {
      const int count = channels - from < STRETCH_OF * L ? channels - from : STRETCH_OF * L;
      for (int c = 0; c < count; c += L) total[c / L] = (Vec){};
      for (int64_t i = first; i < to; i += 4)
        for (int c = 0; c < count; c += L) {
          Vec t = total[c / L];
          for (int64_t j = i; j < to && j < i + 4; j++) t += load_part(x + j * channels + from + c, count - c);
          total[c / L] = t;
        }
      for (int c = 0; c < count; c += L)
        store_part(sums + from + c, count - c, load_part(sums + from + c, count - c) + total[c / L]);
    }
  }
}

}  // namespace
