#include "nets/alexnet.h"

namespace sr {

FeatureNet alexnet() {
  using Net = FeatureNet;
  const Net::MaxPool pool{.kernel = 3, .stride = 2};
  return {"AlexNet",
          {Net::Conv{3, 64, {.kernel = 11, .stride = 4, .padding = 2}}, Net::ReLU{}, pool,
           Net::Conv{64, 192, {.kernel = 5, .padding = 2}}, Net::ReLU{}, pool,  //
           Net::Conv{192, 384}, Net::ReLU{},                                    //
           Net::Conv{384, 256}, Net::ReLU{},                                    //
           Net::Conv{256, 256}, Net::ReLU{}, pool}};
}

}  // namespace sr
