#include "hypervisor/kvm_probe.h"

// The guest, in the assembler's words. It is loaded at 0x7c00 and uses the first 32 KiB of memory;
// addresses are written as 0x7c00 plus the distance from the beginning.
asm(R"(
    .pushsection .rodata
    .globl baton_probe_begin
    .globl baton_probe_end
    .set base, 0x7c00
baton_probe_begin:
    .code16
    cli
    cld
    xorw %ax, %ax
    movw %ax, %ds
    movw %ax, %es
    movw %ax, %ss
    movw $0x7c00, %sp

    # one page table of each kind at 0x1000, mapping the first 2 MiB onto themselves
    movl $0x1000, %edi
    movl %edi, %cr3
    xorl %eax, %eax
    movl $3072, %ecx
    rep stosl
    movl $0x2003, 0x1000
    movl $0x3003, 0x2000
    movl $0x83, 0x3000

    # PAE and SSE on, long mode enabled, then protection and paging: 64-bit mode
    movl %cr4, %eax
    orl $0x620, %eax
    movl %eax, %cr4
    movl $0xc0000080, %ecx
    rdmsr
    orl $0x100, %eax
    wrmsr
    lgdtl base + 3f - baton_probe_begin
    movl %cr0, %eax
    andl $0xfffffffb, %eax
    orl $0x80000003, %eax
    movl %eax, %cr0
    ljmpl $8, $(base + 4f - baton_probe_begin)

    .code64
4:  xorl %eax, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    cpuid

    # at 0x6000: zero twice, compared with zero twice, becomes one and two
    movl $0x6000, %edi
    xorl %eax, %eax
    xorl %edx, %edx
    movq %rax, (%rdi)
    movq %rax, 8(%rdi)
    movl $1, %ebx
    movl $2, %ecx
    lock cmpxchg16b (%rdi)
    jnz 9f
    movaps (%rdi), %xmm0
    paddq %xmm0, %xmm0
    movaps %xmm0, (%rdi)
    cmpq $2, (%rdi)
    jne 9f
    cmpq $4, 8(%rdi)
    jne 9f

    # QEMU ends with twice that and one
    movl $42, %eax
    jmp 8f
9:  movl $1, %eax
8:  movl $0xf4, %edx
    outb %al, %dx
7:  hlt
    jmp 7b

    .balign 8
2:  .quad 0
    .quad 0x00af9a000000ffff
3:  .word 3b - 2b - 1
    .long base + 2b - baton_probe_begin

    .org baton_probe_begin + 510
    .word 0xaa55
baton_probe_end:
    .code64
    .popsection
)");

extern "C" const char baton_probe_begin[];
extern "C" const char baton_probe_end[];

namespace baton::hypervisor {

std::string probe_boot_sector() {
    return {baton_probe_begin, baton_probe_end};
}

} // namespace baton::hypervisor
