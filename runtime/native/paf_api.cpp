// The C ABI of paf.h over the stages.
#include <algorithm>
#include <memory>
#include <new>

#include "paf_assembly.h"
#include "paf_block.h"
#include "paf_fast_peaks.h"
#include "paf_filters.h"
#include "paf_peaks.h"
#include "paf_scoring.h"

using namespace wholebody;

struct wb_paf {
    Model model;
    Grid grid;
    PeakFinder finder;
    FastPeakFinder fast_finder;
    LimbScorer scorer;
    ConnectionSorter sorter;
    Assembler assembler;
    PeopleFilter filter;
    // Scratch of one frame, kept so that the next allocates nothing.
    Plane plane;
    Peaks peaks;
    std::vector<Connection> connections;
    People people;
    Result result;
};

namespace {

const int64_t kPixelsMax = 1 << 26;  // ten times as many values still have a number of 32 bits

template <typename Work>
int32_t guarded(Work work) {
    try {
        return work();
    } catch (const std::bad_alloc &) {
        return WB_OUT_OF_MEMORY;
    } catch (...) {
        return WB_INTERNAL;
    }
}

bool valid(const wb_paf_config &c) {
    return c.abi == WB_PAF_ABI && c.keypoints >= 1 && c.limbs >= 1 && c.stride >= 1 && c.max_peaks >= 1 &&
           c.min_keypoints >= 1 && c.number_people_max >= -1 && c.nms_threshold >= 0 &&
           c.paf_threshold >= 0 && c.paf_ratio >= 0;
}

bool in_range(const int32_t *pairs, int32_t count, int32_t limit) {
    return std::all_of(pairs, pairs + 2 * count, [limit](int32_t value) { return value >= 0 && value < limit; });
}

bool fits(const wb_layout &layout, int32_t channels, int32_t stride) {
    const int64_t strides = layout.stride_channel | layout.stride_row | layout.stride_column;
    const bool aligned = layout.type == WB_FLOAT32 ? strides % 4 == 0 : layout.type == WB_FLOAT16 && strides % 2 == 0;
    return layout.channels >= channels && layout.height >= 0 && layout.width >= 0 && aligned &&
           static_cast<int64_t>(layout.height) * stride <= kPixelsMax &&
           static_cast<int64_t>(layout.width) * stride <= kPixelsMax &&
           static_cast<int64_t>(layout.height) * stride * layout.width * stride <= kPixelsMax;
}

const char *map_of(const void *maps, const wb_layout &layout, int32_t channel) {
    return static_cast<const char *>(maps) + channel * layout.stride_channel;
}

void find_peaks(wb_paf &p, const void *heatmaps, const wb_layout &layout) {
    const wb_paf_config &config = p.model.config;
    p.peaks.reset(config.keypoints, config.max_peaks);
    if (layout.height == 0 || layout.width == 0) return;
    if (config.fast) {
        p.grid.prepare_linear(layout.height, layout.width, config.stride);
    } else {
        p.grid.prepare(layout.height, layout.width, config.stride, static_cast<double>(config.kernel_a));
        p.finder.prepare(p.grid, config);
    }
    for (int32_t k = 0; k < config.keypoints; ++k) {
        const char *map = map_of(heatmaps, layout, k);
        if (config.fast) {
            p.peaks.count[k] = p.fast_finder.find(map, layout, config, p.peaks.of(k));
        } else {
            p.plane.load(map, layout);
            p.peaks.count[k] = p.finder.find(p.grid, p.plane, p.peaks.of(k), config.max_peaks);
        }
    }
}

void connect(wb_paf &p, const void *pafs, const wb_layout &layout) {
    p.connections.clear();
    p.scorer.prepare(p.grid, p.model.config);
    const auto next_limb = [&p](int32_t limb) {
        const Pair *ends = p.model.pairs.data();
        while (limb < p.model.config.limbs && !(p.peaks.count[ends[limb].first] && p.peaks.count[ends[limb].second]))
            ++limb;
        return limb;
    };
    const auto limb_of = [&](int32_t number) {
        const Pair channels = p.model.channels[number];
        const Field field = {map_of(pafs, layout, channels.first), map_of(pafs, layout, channels.second), layout};
        return Limb{number, p.model.pairs[number], field};
    };
    for (int32_t number = next_limb(0), next; number < p.model.config.limbs; number = next) {
        next = next_limb(number + 1);
        const bool last = next == p.model.config.limbs;
        const Limb limb = limb_of(number), then = limb_of(last ? number : next);
        p.scorer.score(p.grid, p.peaks, limb, last ? nullptr : &then, p.connections);
    }
}

int32_t find_people(wb_paf &p) {
    p.sorter.sort(p.connections);
    p.assembler.assemble(p.connections, p.peaks, p.model.pairs, p.people);
    p.filter.apply(p.model, p.peaks, p.people, p.result);
    return static_cast<int32_t>(p.result.person_scores.size());
}

}  // namespace

extern "C" {

int32_t wb_paf_create(const wb_paf_config *config, const int32_t *pairs, const int32_t *channels,
                      const uint8_t *parts, wb_paf **handle) {
    if (!config || !pairs || !channels || !parts || !handle || !valid(*config)) return WB_BAD_ARGUMENT;
    if (!in_range(pairs, config->limbs, config->keypoints)) return WB_BAD_ARGUMENT;
    if (!in_range(channels, config->limbs, 2 * config->limbs)) return WB_BAD_ARGUMENT;
    return guarded([&] {
        std::unique_ptr<wb_paf> made(new wb_paf());
        Model &model = made->model;
        model.config = *config;
        model.parts.assign(parts, parts + config->keypoints);
        for (int32_t i = 0; i < config->limbs; ++i) {
            model.pairs.push_back({pairs[2 * i], pairs[2 * i + 1]});
            model.channels.push_back({channels[2 * i], channels[2 * i + 1]});
        }
        for (int32_t k = 0; k < config->keypoints; ++k)
            if (parts[k] & WB_PART_FACE) model.face.push_back(k);
        *handle = made.release();
        return WB_OK;
    });
}

int32_t wb_paf_destroy(wb_paf *handle) {
    delete handle;
    return WB_OK;
}

int32_t wb_paf_decode(wb_paf *handle, const void *heatmaps, const wb_layout *heatmap_layout,
                      const void *pafs, const wb_layout *paf_layout, int32_t *people) {
    if (!handle || !heatmap_layout || !paf_layout || !people) return WB_BAD_ARGUMENT;
    const wb_paf_config &config = handle->model.config;
    if (!fits(*heatmap_layout, config.keypoints, config.stride)) return WB_BAD_ARGUMENT;
    if (!fits(*paf_layout, 2 * config.limbs, config.stride)) return WB_BAD_ARGUMENT;
    if (heatmap_layout->height != paf_layout->height || heatmap_layout->width != paf_layout->width)
        return WB_BAD_ARGUMENT;
    return guarded([&] {
        wb_paf &p = *handle;
        find_peaks(p, heatmaps, *heatmap_layout);
        connect(p, pafs, *paf_layout);
        *people = find_people(p);
        return WB_OK;
    });
}

int32_t wb_paf_assemble(wb_paf *handle, const int32_t *block, int64_t words, int32_t *people) {
    if (!handle || !block || !people) return WB_BAD_ARGUMENT;
    return guarded([&] {
        wb_paf &p = *handle;
        if (!read_block(p.model, block, words, p.peaks, p.connections)) return WB_BAD_ARGUMENT;
        *people = find_people(p);
        return WB_OK;
    });
}

int32_t wb_paf_result(const wb_paf *handle, float *keypoints, float *scores, float *person_scores, float *boxes) {
    if (!handle || !keypoints || !scores || !person_scores || !boxes) return WB_BAD_ARGUMENT;
    const Result &result = handle->result;
    std::copy(result.keypoints.begin(), result.keypoints.end(), keypoints);
    std::copy(result.scores.begin(), result.scores.end(), scores);
    std::copy(result.person_scores.begin(), result.person_scores.end(), person_scores);
    std::copy(result.boxes.begin(), result.boxes.end(), boxes);
    return WB_OK;
}

int32_t wb_paf_candidates(wb_paf *handle, const void *heatmaps, const wb_layout *layout,
                          int32_t *counts, float *peaks) {
    if (!handle || !layout || !counts || !peaks) return WB_BAD_ARGUMENT;
    const wb_paf_config &config = handle->model.config;
    if (!fits(*layout, config.keypoints, config.stride)) return WB_BAD_ARGUMENT;
    return guarded([&] {
        find_peaks(*handle, heatmaps, *layout);
        for (int32_t k = 0; k < config.keypoints; ++k) {
            const Peak *found = handle->peaks.of(k);
            float *out = peaks + static_cast<int64_t>(k) * config.max_peaks * 3;
            counts[k] = handle->peaks.count[k];
            for (int32_t i = 0; i < counts[k]; ++i, ++found, out += 3) {
                out[0] = found->x;
                out[1] = found->y;
                out[2] = found->score;
            }
        }
        return WB_OK;
    });
}

}  // extern "C"
