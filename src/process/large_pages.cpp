#include "process/large_pages.h"

#include <cstdint>
#include <new>
#include <sys/mman.h>

namespace baton::process {

namespace {

constexpr std::size_t page = std::size_t{2} << 20;

std::size_t whole_pages(std::size_t bytes) {
    return (bytes + page - 1) / page * page;
}

class LargePages final : public std::pmr::memory_resource {
    void* do_allocate(std::size_t bytes, std::size_t alignment) override {
        if (bytes < page || alignment > page)
            return std::pmr::new_delete_resource()->allocate(bytes, alignment);
        // one page more than is needed, so that a part of it begins at a page; the rest goes back
        const std::size_t size = whole_pages(bytes);
        void* const got = ::mmap(nullptr, size + page, PROT_READ | PROT_WRITE,
                                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (got == MAP_FAILED)
            throw std::bad_alloc();
        auto* const begin = static_cast<std::byte*>(got);
        const auto address = reinterpret_cast<std::uintptr_t>(got);
        const std::size_t before = whole_pages(address) - address;
        if (before > 0)
            ::munmap(begin, before);
        if (before < page)
            ::munmap(begin + before + size, page - before);
        ::madvise(begin + before, size, MADV_HUGEPAGE); // advice: without them it is slower
        return begin + before;
    }

    void do_deallocate(void* memory, std::size_t bytes, std::size_t alignment) override {
        if (bytes < page || alignment > page)
            std::pmr::new_delete_resource()->deallocate(memory, bytes, alignment);
        else
            ::munmap(memory, whole_pages(bytes));
    }

    [[nodiscard]] bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
        return this == &other;
    }
};

} // namespace

std::pmr::memory_resource& large_pages() {
    static LargePages pages;
    return pages;
}

} // namespace baton::process
