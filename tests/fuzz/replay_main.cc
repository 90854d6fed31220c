// Goal: every build runs the fuzz targets a little, so that they cannot rot and a known crash stays
// fixed. Method: the seeds, then seeded mutations of them; or just the files named.

#include "base/prng.h"
#include "fuzz.h"

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>

namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

/// Flips, inserts, removes, repeats or splices a few bytes.
std::string mutate(std::string input, const std::string& other, ringpost::Prng& random) {
  static constexpr std::string_view pool =
      "\r\n \t:;,=0159afAFxX%./\\?#@[]-+_\"\0\x01\x7f\x80\xc3\xff";
  for (uint64_t edit = random.between(1, 6); edit > 0; --edit) {
    const size_t at = random.below(input.size() + 1);
    switch (random.below(5)) {
      case 0: input.insert(at, 1, pool[random.below(pool.size())]); break;
      case 1: input.erase(at, random.below(4)); break;
      case 2:
        input.insert(at, input.substr(random.below(input.size() + 1), random.below(16)));
        break;
      case 3:
        input.insert(at, other.substr(random.below(other.size() + 1), random.below(32)));
        break;
      default:
        if (at < input.size()) input[at] = static_cast<char>(random.below(256));
    }
  }
  return input;
}

int run_file(const char* path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    std::fprintf(stderr, "cannot read %s\n", path);
    return EXIT_FAILURE;
  }
  run(std::string{std::istreambuf_iterator<char>{file}, {}});
  return EXIT_SUCCESS;
}

}  // namespace

int main(int argument_count, char** arguments) {
  for (int index = 1; index < argument_count; ++index) {
    if (run_file(arguments[index]) != EXIT_SUCCESS) return EXIT_FAILURE;
  }
  if (argument_count > 1) return EXIT_SUCCESS;
  const std::vector<std::string> seeds = fuzz_seeds();
  for (const std::string& seed : seeds) run(seed);
  constexpr int mutations = 20'000;
  ringpost::Prng random(1);
  for (int round = 0; round < mutations; ++round) {
    const std::string& seed = seeds[random.below(seeds.size())];
    const std::string& other = seeds[random.below(seeds.size())];
    run(mutate(seed, other, random));
  }
  std::printf("%zu seeds, %d mutations\n", seeds.size(), mutations);
  return EXIT_SUCCESS;
}
