#include "nets/squeezenet.h"

namespace sr {

FeatureNet squeezenet() {
  using Net = FeatureNet;
  const Net::MaxPool pool{.kernel = 3, .stride = 2, .ceil = true};
  return {"SqueezeNet 1.1",
          {Net::Conv{3, 64, {.kernel = 3, .stride = 2, .padding = 0}}, Net::ReLU{}, pool,  //
           Net::FireSpec{64, 16, 64}, Net::FireSpec{128, 16, 64}, pool,                    //
           Net::FireSpec{128, 32, 128}, Net::FireSpec{256, 32, 128}, pool,                 //
           Net::FireSpec{256, 48, 192}, Net::FireSpec{384, 48, 192},                       //
           Net::FireSpec{384, 64, 256}, Net::FireSpec{512, 64, 256}}};
}

}  // namespace sr
