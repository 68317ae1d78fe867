#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <vector>

#include "selftest/reference/add.hpp"
#include "selftest/reference/attention.hpp"
#include "selftest/reference/gelu.hpp"
#include "selftest/reference/layer_norm.hpp"
#include "selftest/reference/linear.hpp"

namespace vitcl::reference {

/// Sizes as in vitcl/ops/encoder_block.hpp. With one query, y and dy are the first rows of the images alone.
struct EncoderBlockSizes {
  AttentionSizes attention;
  size_t queries, mlp_dim;
  double epsilon;
  std::vector<double> attention_factors = {}, mlp_factors = {};  ///< of stochastic depth, one an image; or none

  size_t dim() const { return attention.dim(); }
  size_t rows() const { return attention.batch * attention.tokens; }
};

/// A block's parameters, or their gradients, of spans of doubles (const or not), in the order in which the block uses
/// them. qkv_bias may be empty.
template <class Span>
struct EncoderBlockParameters {
  Span norm1_weight, norm1_bias, qkv_weight, qkv_bias, projection_weight, projection_bias;
  Span norm2_weight, norm2_bias, up_weight, up_bias, down_weight, down_bias;
};

/// Every value of a block for all tokens, by the names of the formulas in vitcl/ops/encoder_block.hpp.
class EncoderBlock {
 public:
  using In = std::span<const double>;
  using Out = std::span<double>;
  using Values = std::vector<double>;

  EncoderBlock(In x, const EncoderBlockSizes& sizes, const EncoderBlockParameters<In>& parameters)
      : x_(x), s_(sizes), p_(parameters) {
    const auto& a = s_.attention;
    normal1_ = layer_norm(x, p_.norm1_weight, p_.norm1_bias, mean1_, rstd1_);
    qkv_ = linear(normal1_, p_.qkv_weight, p_.qkv_bias, s_.dim());
    attended_.resize(x.size());
    Values logsumexp(a.batch * a.heads * a.tokens);
    attention_forward<double>(qkv_, a, attended_, logsumexp);
    residual_ =
        add(x, times(linear(attended_, p_.projection_weight, p_.projection_bias, s_.dim()), s_.attention_factors));
    normal2_ = layer_norm(residual_, p_.norm2_weight, p_.norm2_bias, mean2_, rstd2_);
    up_ = linear(normal2_, p_.up_weight, p_.up_bias, s_.dim());
    gelu_.resize(up_.size());
    gelu_forward<double>(up_, gelu_);
  }

  void forward(Out y) const {
    const Values all = add(residual_, times(linear(gelu_, p_.down_weight, p_.down_bias, s_.mlp_dim), s_.mlp_factors));
    for (size_t i = 0; i < y.size(); ++i) y[i] = all[from_query(i)];
  }

  /// dx may be empty.
  void backward(In dy, Out dx, const EncoderBlockParameters<Out>& g) const {
    Values dall(x_.size());
    for (size_t i = 0; i < dy.size(); ++i) dall[from_query(i)] = dy[i];
    const Values dgelu =
        linear_backward(times(dall, s_.mlp_factors), gelu_, p_.down_weight, s_.mlp_dim, g.down_weight, g.down_bias);
    Values dup(up_.size());
    gelu_backward<double>(dgelu, up_, dup);
    const Values dnormal2 = linear_backward(dup, normal2_, p_.up_weight, s_.dim(), g.up_weight, g.up_bias);
    Values dnorm2(x_.size()), dnorm1(x_.size()), dqkv(qkv_.size());
    layer_norm_backward<double>(dnormal2, residual_, p_.norm2_weight, mean2_, rstd2_, dnorm2, g.norm2_weight,
                                g.norm2_bias);
    const Values dresidual = add(dall, dnorm2);
    const Values dattended = linear_backward(times(dresidual, s_.attention_factors), attended_, p_.projection_weight,
                                             s_.dim(), g.projection_weight, g.projection_bias);
    attention_backward<double>(dattended, qkv_, s_.attention, dqkv);
    const Values dnormal1 = linear_backward(dqkv, normal1_, p_.qkv_weight, s_.dim(), g.qkv_weight, g.qkv_bias);
    layer_norm_backward<double>(dnormal1, x_, p_.norm1_weight, mean1_, rstd1_, dnorm1, g.norm1_weight, g.norm1_bias);
    if (!dx.empty()) add_forward<double>(dresidual, dnorm1, dx);
  }

 private:
  // Where element i of y lies among all rows.
  size_t from_query(size_t i) const {
    const size_t size = s_.queries * s_.dim();
    return i / size * s_.attention.tokens * s_.dim() + i % size;
  }
  Values layer_norm(In x, In weight, In bias, Values& mean, Values& rstd) const {
    Values y(x.size());
    mean.resize(s_.rows()), rstd.resize(s_.rows());
    layer_norm_forward<double>(x, weight, bias, s_.epsilon, y, mean, rstd);
    return y;
  }
  Values linear(In x, In weight, In bias, size_t in) const {
    const size_t out = weight.size() / in;
    Values y(s_.rows() * out);
    linear_forward<double>(x, weight, bias, in, out, y);
    return y;
  }
  static Values linear_backward(In dy, In x, In weight, size_t in, Out dweight, Out dbias) {
    const size_t out = weight.size() / in;
    Values dx(x.size());
    linear_backward_input<double>(dy, weight, in, out, dx);
    linear_backward_weight<double>(dy, x, in, out, dweight);
    if (!dbias.empty()) bias_backward<double>(dy, dbias);
    return dx;
  }
  /// Each image times its factor, if there are any.
  static Values times(Values values, In factors) {
    for (size_t i = 0; i < values.size() && !factors.empty(); ++i) {
      values[i] *= factors[i / (values.size() / factors.size())];
    }
    return values;
  }
  static Values add(In a, In b) {
    Values y(a.size());
    add_forward<double>(a, b, y);
    return y;
  }

  In x_;
  EncoderBlockSizes s_;
  EncoderBlockParameters<In> p_;
  Values normal1_, mean1_, rstd1_, qkv_, attended_, residual_, normal2_, mean2_, rstd2_, up_, gelu_;
};

}  // namespace vitcl::reference
