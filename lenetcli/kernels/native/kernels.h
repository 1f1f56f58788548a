// What module.cc (bindings, threads) and kernels.cc (compiled once per instruction set) know of each other: plain data
// only.
#pragma once

#include <stddef.h>
#include <stdint.h>

// An image batch of logical shape (N, C, H, W): where it begins and how many floats apart its neighbours are.
struct Image {
  float* data;
  int64_t n, c, h, w;
};

// A convolution of stride 1 with square kernel, padded with zeros, cut into tiles of 2x2 outputs.
// `pooled` means relu and 2x2 max-pooling follow, so that a tile is one output; otherwise `y` holds all four.
struct Conv {
  int batch, channels, height, width;  // N C H W
  int out, kernel, pad_h, pad_w;       // O K
  int rows, columns;                   // P Q of the convolution itself
  bool pooled, relu;
  bool chosen;  // pooled: the winners are given, and y is what the convolution, without relu, has at them
  Image x, y, d_x;         // y is the output, or its gradient; d_x.data is null where not wanted
  const float* weight;     // (O, C, K, K), contiguous
  const float *filters, *turned;  // for the gradient of x: the weight in two other forms, see `conv_filters`
  const float* bias;       // (O,) or null
  uint8_t* winner;  // pooled: which output of the tile won, 4 where none is positive; (N/group, O, P/2, Q/2, group)
  int group;               // images that have their winners side by side: 16, so that threads write lines of their own
};

// A share of the work: images `first` to `first + count`, tile rows `from` to `to`. Where there are fewer images than
// lanes, neighbouring tiles fill them, too.
struct ConvUnit {
  int first, count, from, to;
};

// A convolution of images whose channels are neighbours in memory, see winograd.h and pixels.h.
struct PixelConv {
  int batch, channels, height, width;  // N C H W
  int out, rows, columns;              // O P Q
  int kernel_h, kernel_w, pad_h, pad_w, stride_h, stride_w, dilation_h, dilation_w;
  int blocks_h, blocks_w;    // of 3x3, that winograd.h cuts a larger kernel into
  int phases_h, phases_w;    // images of every so manieth pixel, that it cuts images into
  Image x, y;           // y is the output, or its gradient
  const float* weight;  // (O, C, K, L); `turned`, for an input's gradient, (C, O, K, L) and turned round
  const float* bias;    // (O,) or null
  bool relu, turned;
  uint8_t* winner;      // where relu and 2x2 max-pooling follow, whose result y is then: (N, P/2, Q/2, O); else null
};

// A share of the tiles of all images, `strip` at a time, and of the panels of out-channels.
struct TileUnit {
  int first, end, strip, panel, panel_end;
  bool own_weight;  // the unit transforms the weight itself
};

// C = A B, see product.h. Strides in floats; the columns of C are neighbours unless `few`.
struct Product {
  int m, n, k;
  const float *a, *b;
  int64_t a_row, a_col, b_row, b_col;
  float* c;
  int64_t c_row, c_col;
  const float* bias;  // (M,), or with `bias_columns` (N,), or null
  bool bias_columns, relu;
  bool add;       // to what C holds
  bool few;       // less than FEW rows, and a B with neighbouring rows or columns, which is read where it lies
};

// A share of a product: panels of B's columns by tiles of A's rows.
struct ProductUnit {
  int product;  // of several that are computed together
  int panel, panel_end, tile, tile_end;
};

constexpr int FEW = 8;

// Activation functions, see curve.h, by the names that kernels/activation.py has for them.
#define CURVES                                                                                                     \
  CURVE(leaky_relu, LeakyRelu) CURVE(threshold, Threshold) CURVE(hardtanh, Hardtanh) CURVE(hardsigmoid, Hardsigmoid) \
  CURVE(hardswish, Hardswish) CURVE(hardshrink, Hardshrink) CURVE(softshrink, Softshrink) CURVE(elu, Elu)            \
  CURVE(gelu, Gelu) CURVE(gelu_tanh, GeluTanh) CURVE(silu, Silu) CURVE(mish, Mish) CURVE(softplus, Softplus)         \
  CURVE(log_sigmoid, LogSigmoid) CURVE(sigmoid, Sigmoid) CURVE(tanh, Tanh)

struct Curve {
  int number;  // of CURVES
  float constants[3];
};

// Update rules, see update.h: the tuples of kernels/update.py, and what follows from them for one parameter.
struct Objective {
  bool maximize;
  float weight_decay, shrink;
};

struct Sgd {
  float lr, momentum, keep;  // keep = 1 - dampening
  bool nesterov;
};

struct Adam {
  // share = 1 - beta1 and rest = 1 - beta2, taken in double; rate and root hold the corrections of bias
  float share, beta2, rest, eps, rate, root;
};

// The others, by the names that kernels/update.py has for them.
#define RULES                                                                                          \
  RULE(amsgrad, Amsgrad) RULE(adamax, Adamax) RULE(nadam, Nadam) RULE(radam, Radam) RULE(rmsprop, Rmsprop) \
  RULE(rmsprop_momentum, RmspropMomentum) RULE(rmsprop_centred, RmspropCentred)                            \
  RULE(rmsprop_centred_momentum, RmspropCentredMomentum) RULE(adagrad, Adagrad) RULE(adadelta, Adadelta)   \
  RULE(rprop, Rprop)

constexpr int MOST_NUMBERS = 8;  // of a rule, for one parameter

// Rows of a gradient (M, N) of any strides, to be copied to d (M, N) where y is above zero, and summed; see
// pointwise.h.
struct Rows {
  int64_t n;
  const float *grad, *y;
  int64_t grad_row, grad_col, y_row, y_col;
  float *d, *sums;
};

// What one place of a result gathers along one axis, see window.h: `count` taps from `tap` on, with their sources from
// `place` on.
struct Reach {
  int tap, place, count;
};

// Places `first`, `first` + step, ... of a result that gather the same, each from as many places further on.
struct Run {
  int first, number;
  Reach reach;  // of the first
};

// One axis of a result: from one tap to the next, and from one place of a run to the next.
struct Axis {
  int size, source;  // places of the result, and of what it gathers
  int tap_step, place_step;
  int step, source_step;
};

constexpr int MOST_TAPS = 256;  // of a window

// Sliding windows over images (C, H, W, N).
struct Windows {
  int n;
  Axis rows, columns;
  const Reach* reach;  // of each row
  const Run *runs, *runs_end;  // of the columns
  int taps_across, taps;  // columns of the kernel; all of it
  const float* x;   // what is gathered: images, or their windows' gradient
  float* y;
  uint8_t* winner;
  const float* divisor;  // of each place, or null
  // Weighted sums over the `sources` channels of a group, of which `results` channels are made.
  int sources, results;
  const float *weight, *bias;  // of each tap; (results,) or null
  int64_t weight_source, weight_result, weight_group;  // from one channel's or group's to the next
  float* d_weight;
};

// One axis of an array (outer, size, inner) to (outer, out, inner), see resample.h: place p has the taps `starts[p]` to
// `starts[p + 1]`.
struct Taps {
  int64_t size, out, inner;
  const int64_t *starts, *index;
  const float *weight, *divisor;  // of each tap; of each place, or null
  const float* x;
  float* y;
};

// Softmax, or its logarithm, of (outer, classes, inner), see softmax.h; with `grad` x is its result, y the gradient.
struct Softmax {
  int64_t classes, inner;
  bool log;
  const float *x, *grad;
  float* y;
};

// Scores (C, N), the classes `row` floats apart.
struct Classes {
  int classes;
  int64_t row;
  const float *x, *grad;
  float *y, *d_x;  // y is an input of the gradient
};

// A piece of values that are normalised, see norm.h: rows of lanes that have their own numbers each (columns), or one
// run of lanes that share them. `grad` is null forward. The numbers may be null for 0; weight, bias and their gradients
// are those of single elements.
struct NormPiece {
  bool columns, relu;
  int64_t rows, lanes, count, step;  // so many runs, `step` floats apart, each with the next of all numbers
  const float *x, *grad, *weight, *bias;
  float* y;  // d_x in the backward pass
  const float *centre, *factor, *shift, *down, *up;
  double *sums, *products;
  float *d_weight, *d_bias;
};

// All steps of a GRU or LSTM in the order in which it walks, see recurrent.h: step s has the sequences 0 to `sizes[s]`, in
// rows from `starts[s]` on. Letters: T rows of all steps, N sequences, H units, R outputs, G = 3 H or 4 H.
struct Walk {
  bool lstm;
  int units, outputs, steps;
  const int *starts, *sizes;
  const float *weight, *down;  // panels of the weight of states, and of the projection or null
  float *gates, *hidden, *before, *y;  // (T, G) (T, G) (T, R) (T, R)
  float *cell_before, *cell, *out;     // (T, H) of an LSTM; out is y where there is no projection
  float *h, *c;                        // (N, R) (N, H)
  float *d_gates, *d_hidden;           // (T, G)
};

// An array (N, H, rows, columns): how many floats apart its neighbours are.
struct HeadArray {
  float* p;
  int64_t sample, head, row, col;
};

// Attention of H heads over N sequences, see attention.h. In the backward pass y holds its gradient.
struct Attention {
  int heads, queries, keys, width, value_width;  // H L S D V
  float scale;
  HeadArray q, k, v, y, d_q, d_k, d_v;
  float* weights;     // (N, H, L, S)
  const float* mask;  // added to the scores, or null
  int64_t mask_sample, mask_head, mask_row, mask_col;
};

struct Kernels {
  const char* name;
  int lanes;
  // Fills `units` unless null, returns how many: about as many as are wanted, or (0) as the shapes alone make it.
  int (*conv_units)(const Conv&, int wanted, ConvUnit* units);
  size_t (*conv_scratch)(const Conv&, const ConvUnit&, bool backward);  // floats
  void (*conv_forward)(const Conv&, const ConvUnit&, float* scratch);
  // Makes the forms of the weight that the gradient of x needs, unless `to` is null. Returns their size in floats. They
  // may meet zeros only where the weight is finite.
  size_t (*conv_filters)(Conv&, float* to);
  // Adds to d_weight (unless null) and d_bias. False, and nothing of use, where outputs without a gradient, which a
  // tile lacks or the pool left out, would have met infinities or NaN: 0 times infinity is NaN.
  bool (*conv_backward)(const Conv&, const ConvUnit&, float* scratch, float* d_weight, float* d_bias);
  // Channels-last, see winograd.h and pixels.h: sizes in floats, of the weight's panels and of memory for a unit.
  size_t (*winograd_weight_size)(const PixelConv&);
  void (*winograd_weight)(const PixelConv&, int panel, float* lines, float* to);
  size_t (*winograd_forward_room)(const PixelConv&, const TileUnit&);
  bool (*winograd_forward)(const PixelConv&, const TileUnit&, const float* weight, float* scratch);
  size_t (*winograd_gradient_room)(const PixelConv&, const TileUnit&);
  size_t (*winograd_sums_size)(const PixelConv&);
  void (*winograd_gradient)(const PixelConv&, const TileUnit&, float* scratch, float* sums);
  bool (*winograd_filter)(const PixelConv&, const float* sums, int o, float* d_weight);
  size_t (*pixel_weight_size)(const PixelConv&, bool back);
  void (*pixel_weight)(const PixelConv&, bool back, float* lines, float* to);
  size_t (*pixel_room)(const PixelConv&);
  void (*pixel_forward)(const PixelConv&, int first, int end, const float* weight, float* scratch);
  void (*pixel_gradient)(const PixelConv&, int first, int end, float* scratch, float* sums);
  void (*pixel_filters)(const PixelConv&, const float* sums, float* d_weight);
  void (*pixel_input)(const PixelConv&, int first, int end, const float* weight, float* scratch);
  void (*pixel_pool)(const PixelConv&, uint8_t* winner, int first, int end);
  void (*pixel_pool_backward)(const PixelConv&, const uint8_t* winner, int first, int end);
  void (*pixel_sums)(const float* x, int64_t first, int64_t end, int channels, float* sums);
  int panel, tile;  // columns, rows
  void (*product_pack)(const Product&, const ProductUnit&, float* packed);
  void (*product_unit)(const Product&, const ProductUnit&, const float* packed);
  void (*sgd)(const Objective&, const Sgd&, float* p, const float* grad, float* buffer, size_t n);
  void (*adam)(const Objective&, const Adam&, float* p, const float* grad, float* m, float* v, size_t n);
  // One of RULES for a parameter with its numbers; arrays: parameter, gradient, state.
  void (*rule)(int number, const Objective&, const float* numbers, float* const* arrays, size_t n);
  bool (*all_finite)(const float* x, size_t n);
  void (*relu)(const float* x, float* y, size_t n);
  void (*relu_backward)(const float* grad, const float* y, float* d_x, size_t n);
  void (*curve)(const Curve&, const float* x, const float* grad, float* y, size_t n);
  void (*masked_rows)(const Rows&, int from, int to);
  void (*norm_sums)(const NormPiece&);
  void (*norm_apply)(const NormPiece&);
  void (*norm_elements)(const NormPiece&);
  void (*max_pool)(const Windows&, int row);
  void (*max_pool_backward)(const Windows&, int row);
  void (*window_sums)(const Windows&, int row);
  void (*tap_sums)(const Windows&, int row);
  void (*weighted_sums)(const Windows&, int row);
  void (*weighted_gradient)(const Windows&, int pair);
  void (*lane_sums)(const Windows&, int row);  // these two of images (N, H, W, C), see lanes.h
  void (*lane_gradient)(const Windows&, int first, int last, int which, int at, double* totals);
  void (*resample)(const Taps&, int64_t outer, int64_t from, int64_t to);
  void (*softmax)(const Softmax&, int64_t outer);
  void (*log_softmax)(const Classes&, int from, int count);
  void (*log_softmax_backward)(const Classes&, int from, int count);
  void (*walk)(const Walk&, int first, int end);
  void (*walk_backward)(const Walk&, int first, int end, float* scratch);
  size_t (*attention_room)(const Attention&, bool backward);  // floats
  void (*attention)(const Attention&, int item, float* scratch);
  void (*attention_backward)(const Attention&, int item, float* scratch);
};
