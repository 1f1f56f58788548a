// The kernels, compiled once per instruction set: -DLENET_TARGET names the table.
#include "attention.h"
#include "conv.h"
#include "curve.h"
#include "lanes.h"
#include "norm.h"
#include "pixels.h"
#include "pointwise.h"
#include "product.h"
#include "recurrent.h"
#include "resample.h"
#include "softmax.h"
#include "update.h"
#include "window.h"
#include "winograd.h"

#define LENET_JOIN(a, b) a##b
#define LENET_TABLE(target) LENET_JOIN(lenet_kernels_, target)
#define LENET_TEXT(name) #name
#define LENET_NAME(target) LENET_TEXT(target)

extern const Kernels LENET_TABLE(LENET_TARGET);
const Kernels LENET_TABLE(LENET_TARGET) = {
    LENET_NAME(LENET_TARGET), L, conv_units, conv_scratch, conv_forward, conv_filters,
    conv_backward,
    winograd_weight_size, winograd_weight, winograd_forward_room, winograd_forward, winograd_gradient_room,
    winograd_sums_size, winograd_gradient, winograd_filter,
    pixel_weight_size, pixel_weight, pixel_room, pixel_forward, pixel_gradient, pixel_filters, pixel_input,
    pixel_pool, pixel_pool_backward, pixel_sums,
    PANEL, ROWS, product_pack, product_unit,
    sgd, adam, rule,
    all_finite, relu, relu_backward, curve, masked_rows, norm_sums, norm_apply, norm_elements, max_pool, max_pool_backward,
    window_sums, tap_sums, weighted_sums, weighted_gradient, lane_sums, lane_gradient, resample, softmax, log_softmax,
    log_softmax_backward,
    walk, walk_backward,
    attention_room, attention, attention_backward,
};
