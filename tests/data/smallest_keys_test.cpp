#include "core/data/smallest_keys.h"

#include <gtest/gtest.h>
#include <random>

namespace hyscale::data {
namespace {

struct Item {
  uint64_t key;
  int64_t weight;
};

// The largest key that belongs: items up to it weigh enough, items below it do not.
uint64_t last_key(const std::vector<Item>& items, int64_t enough) {
  std::map<uint64_t, int64_t> weights;
  for (const Item& item : items) weights[item.key] += item.weight;
  int64_t sum = 0;
  for (const auto& [key, weight] : weights)
    if ((sum += weight) >= enough) return key;
  return weights.rbegin()->first;
}

TEST(SmallestKeys, KeepsWhatSortingWouldKeepWithEqualKeysTogether) {
  std::mt19937_64 random(5);
  for (int trial = 0; trial < 200; ++trial) {
    std::vector<Item> items(60);
    for (Item& item : items) item = {random() % 20, static_cast<int64_t>(1 + random() % 9)};
    const auto enough = static_cast<int64_t>(1 + random() % 400);  // sometimes more than there is
    SmallestKeys<Item> kept(enough);
    size_t evicted = 0, stayed = 0;
    const uint64_t last = last_key(items, enough);
    for (const Item& item : items)
      kept.add(item.key, item.weight, item, [&](const Item& gone) {
        EXPECT_GT(gone.key, last);
        ++evicted;
      });
    uint64_t before = 0;
    kept.for_each([&](const Item& item) {
      EXPECT_LE(item.key, last);
      EXPECT_GE(item.key, before);
      before = item.key;
      ++stayed;
    });
    EXPECT_EQ(evicted + stayed, items.size());
  }
}

}  // namespace
}  // namespace hyscale::data
