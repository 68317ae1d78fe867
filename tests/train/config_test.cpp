#include "vitcl/train/config.hpp"

#include <fmt/format.h>

#include "support/errors.hpp"
#include "vitcl/backend/error.hpp"

namespace vitcl::test {
namespace {

using train::apply_options;
using train::TrainConfig;

std::string refusal(const train::OptionTexts& texts) {
  return error_of<UsageError>([&] {
    TrainConfig config;
    apply_options(config, texts);
    config.validate();
  });
}

TEST(Config, DefaultsAreTheArticles) {
  const TrainConfig config;
  config.validate();
  EXPECT_EQ(config.model, models::preset("article"));
  EXPECT_EQ(config.epochs, 25U);
  EXPECT_EQ(config.batch_size, 100U);
  EXPECT_EQ(config.lr, 0.003);
}

TEST(Config, SurvivesTheRoundTripThroughToml) {
  TrainConfig config;
  apply_options(config, {{"model", "tiny"},
                         {"pool", "mean"},
                         {"image-size", "30"},
                         {"head", "mlp"},
                         {"attention-scale", "head_dim"},
                         {"position", "sincos"},
                         {"norm-epsilon", "1e-12"},
                         {"mask-ratio", "0.25"},
                         {"data", "/with a \"quote\", a # and a \\"},
                         {"normalize", "off"},
                         {"lr", "0.00017"},
                         {"seed", "18446744073709551615"},
                         {"checkpoint-every", "7"},
                         {"opt-betas", "0.85,0.95"},
                         {"class-weights", "1,2,3"},
                         {"mixup", "0.2"},
                         {"freeze", "tokens.*,blocks.?.qkv.weight"},
                         {"sched", "plateau"},
                         {"drop-path", "0.1"},
                         {"device", "a, b = c"}});
  EXPECT_EQ(train::config_from_toml(train::to_toml(config), "config.toml"), config);
}

TEST(Config, EveryOptionRoundTripsByItself) {
  for (const train::ConfigOption& option : train::config_options()) {
    TrainConfig config;
    const std::string text = train::get_option(config, option);
    apply_options(config, {{std::string(option.name), text}});
    EXPECT_EQ(config, TrainConfig{}) << option.name;
  }
}

TEST(Config, MeanPoolingDropsTheClassTokenUnlessAsked) {
  TrainConfig config;
  apply_options(config, {{"pool", "mean"}});
  EXPECT_FALSE(config.model.class_token);
  apply_options(config, {{"pool", "mean"}, {"class-token", "on"}});
  EXPECT_TRUE(config.model.class_token);
}

TEST(Config, TheUsualAugmentationIsTheDataSets) {
  TrainConfig config;
  apply_options(config, {{"augment", "default"}});
  EXPECT_EQ(config.augmentation.hflip, 0);  // digits
  EXPECT_GT(config.augmentation.degrees, 0);
  apply_options(config, {{"data", "fashion-mnist"}, {"crop-padding", "0"}});
  EXPECT_EQ(config.augmentation.hflip, 0.5F);
  EXPECT_EQ(config.augmentation.crop_padding, 0);
  EXPECT_EQ(train::config_from_toml(train::to_toml(config), "config.toml"), config);
  apply_options(config, {{"augment", "none"}});
  EXPECT_FALSE(config.augmentation.any());
}

TEST(Config, RefusesImpossibleAugmentation) {
  EXPECT_TRUE(says(refusal({{"hflip", "1.5"}}), {"--hflip", "1.5", "0 to 1"}));
  EXPECT_TRUE(says(refusal({{"reprob", "nan"}}), {"--reprob"}));
  EXPECT_TRUE(says(refusal({{"scale", "1"}}), {"--scale", "0.9"}));
  EXPECT_TRUE(says(refusal({{"crop-padding", "28"}}), {"--crop-padding", "28"}));
}

TEST(Config, RefusesImpossibleMixesAndClassWeights) {
  EXPECT_TRUE(says(refusal({{"mixup", "-0.1"}}), {"--mixup", "-0.1", "0 or more"}));
  EXPECT_TRUE(says(refusal({{"cutmix", "nan"}}), {"--cutmix", "nan"}));
  EXPECT_TRUE(says(refusal({{"mixup-prob", "1.5"}}), {"--mixup-prob", "1.5", "0 to 1"}));
  EXPECT_TRUE(says(refusal({{"mixup-switch-prob", "-1"}}), {"--mixup-switch-prob", "0 to 1"}));
  for (const char* weight : {"0", "-1", "inf", "x", "1x", ""}) {
    EXPECT_TRUE(
        says(refusal({{"class-weights", fmt::format("1,{},2", weight)}}), {"--class-weights", weight, "balanced"}));
  }
  EXPECT_EQ(refusal({{"class-weights", "balanced"}, {"mixup", "0.8"}, {"cutmix", "1"}}), "no error");
}

TEST(Config, APresetResetsWhatAnEarlierLayerChose) {
  TrainConfig config;
  apply_options(config, {{"dim", "32"}});
  apply_options(config, {{"model", "tiny"}, {"depth", "2"}});
  EXPECT_EQ(config.model.dim, models::preset("tiny").dim);
  EXPECT_EQ(config.model.depth, 2U);
}

TEST(Config, ARecipeYieldsToWhatIsGivenBesideIt) {
  TrainConfig config;
  apply_options(config, {{"recipe", "best"}, {"lr", "0.007"}, {"warmup-epochs", "0"}});
  EXPECT_EQ(config.opt, train::Opt::adamw);
  EXPECT_EQ(config.lr, 0.007);
  EXPECT_EQ(config.warmup_epochs, 0U);
  EXPECT_EQ(train::config_from_toml(train::to_toml(config), "config.toml"), config);
  apply_options(config, {{"recipe", "best"}});
  EXPECT_EQ(config.lr, 0.007) << "the recipe at hand changes nothing";
  apply_options(config, {{"recipe", "article"}});
  EXPECT_EQ(config, TrainConfig{});
}

TEST(Config, ARecipeIsAModelAndItsTreatmentOfTheData) {
  TrainConfig config;
  apply_options(config, {{"recipe", "best"}, {"data", "fashion-mnist"}, {"depth", "3"}, {"crop-padding", "0"}});
  models::ViTConfig compact = models::preset("compact");
  compact.depth = 3;
  EXPECT_EQ(config.model, compact);
  EXPECT_EQ(config.model_name, "compact");
  EXPECT_EQ(config.augmentation.hflip, 0.5F);
  EXPECT_EQ(config.augmentation.crop_padding, 0);
  EXPECT_EQ(train::config_from_toml(train::to_toml(config), "config.toml"), config);
  apply_options(config, {{"model", "article"}});
  EXPECT_EQ(config.model, models::preset("article"));
  EXPECT_EQ(config.opt, train::Opt::adamw);
}

TEST(Config, RefusalsNameTheOptionAndWhatItTakes) {
  EXPECT_TRUE(says(refusal({{"epochs", "many"}}), {"--epochs", "many", "whole number"}));
  EXPECT_TRUE(says(refusal({{"epochs", "-1"}}), {"--epochs"}));
  EXPECT_TRUE(says(refusal({{"epochs", "0"}}), {"--epochs", "at least 1"}));
  EXPECT_TRUE(says(refusal({{"lr", "nan"}}), {"--lr"}));
  EXPECT_TRUE(says(refusal({{"lr", "0.1x"}}), {"--lr"}));
  EXPECT_TRUE(says(refusal({{"pool", "max"}}), {"--pool", "max", "cls or mean"}));
  EXPECT_TRUE(says(refusal({{"model", "huge"}}), {"huge", "article"}));
  EXPECT_TRUE(says(refusal({{"heads", "7"}}), {"heads", "64"}));
  EXPECT_TRUE(says(refusal({{"recipe", "worst"}}), {"--recipe", "worst", "article or best"}));
  EXPECT_TRUE(says(refusal({{"opt", "lamb"}}), {"--opt", "lamb", "adamw"}));
  EXPECT_TRUE(says(refusal({{"opt-betas", "0.9"}}), {"--opt-betas", "1 numbers", "two"}));
  EXPECT_TRUE(says(refusal({{"opt-betas", "0.9,1"}}), {"--opt-betas", "below 1"}));
  EXPECT_TRUE(says(refusal({{"opt-betas", "0.9,x"}}), {"--opt-betas", "x"}));
  EXPECT_TRUE(says(refusal({{"weight-decay", "-1"}}), {"--weight-decay"}));
  EXPECT_TRUE(says(refusal({{"layer-decay", "0"}}), {"--layer-decay"}));
  EXPECT_TRUE(says(refusal({{"min-lr", "1"}}), {"--min-lr", "--lr"}));
  EXPECT_TRUE(says(refusal({{"decay-epochs", "0"}}), {"--decay-epochs"}));
  EXPECT_TRUE(says(refusal({{"grad-accum-steps", "0"}}), {"--grad-accum-steps"}));
  EXPECT_TRUE(says(refusal({{"drop", "1"}}), {"--drop", "below 1"}));
  EXPECT_TRUE(says(refusal({{"attn-drop", "nan"}}), {"--attn-drop"}));
  EXPECT_TRUE(says(refusal({{"no-such", "1"}}), {"no-such"}));
  EXPECT_TRUE(says(refusal({{"patch-size", "16"}, {"pad", "error"}}), {"--pad", "28", "16"}));
}

TEST(Config, AMaskHasOneCharacterAPatch) {
  EXPECT_TRUE(says(refusal({{"patch-mask", "0110"}}), {"--patch-mask", "4 characters", "16"}));
  EXPECT_TRUE(says(refusal({{"patch-mask", "01100110011001x0"}}), {"--patch-mask", "0 and 1"}));
  EXPECT_TRUE(says(refusal({{"patch-mask", "0110011001100110"}, {"mask-ratio", "0.5"}}), {"--mask-ratio"}));
  EXPECT_EQ(refusal({{"patch-mask", "0110011001100110"}}), "no error");
}

TEST(Config, OnlyTrainingSeesARandomMask) {
  TrainConfig config;
  config.mask_ratio = 0.5;
  EXPECT_TRUE(config.training_model().masked);
  EXPECT_FALSE(config.evaluation_model().masked);
}

TEST(Config, ABrokenFileIsNamedWithTheLine) {
  const std::string text = "epochs = 3\nthis is not TOML\n";
  EXPECT_TRUE(says(error_of<StorageError>([&] { train::config_from_toml(text, "run/config.toml"); }),
                   {"run/config.toml:2", "this is not TOML"}));
  EXPECT_TRUE(says(error_of<StorageError>([] { train::config_from_toml("epochs = \"3\n", "f"); }), {"f:1"}));
  EXPECT_TRUE(says(error_of<StorageError>([] { train::config_from_toml("colour = \"red\"\n", "f"); }), {"colour"}));
}

}  // namespace
}  // namespace vitcl::test
