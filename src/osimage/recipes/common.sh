# What the recipes of OS images share. Sourced by them, never run.
#
# A recipe is called as   NAME --output DIR --guest-binary PATH --cache DIR [--version V]   and leaves in DIR:
# disk.qcow2, kernel, initrd, recipe.json. Packages come through apt and stay in --cache; nothing is mounted, no loop
# device or network namespace is needed. Each step prints a line "progress: PERCENT TEXT".
# shellcheck shell=bash disable=SC2154,SC2016,SC2034

umask 022
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"

die() { echo "$recipe: $*" >&2; exit 1; }
progress() { printf 'progress: %d %s\n' "$1" "$2"; }

# parse_arguments "$@": sets output, guest_binary, cache, version and the scratch folder work, which goes away at exit
parse_arguments() {
    recipe=$(basename "$0")
    output='' guest_binary='' cache='' version=1
    while [[ $# -gt 0 ]]; do
        [[ $# -ge 2 ]] || die "$1 needs a value"
        case $1 in
        --output) output=$2 ;;
        --guest-binary) guest_binary=$2 ;;
        --cache) cache=$2 ;;
        --version) version=$2 ;;
        *) die "unknown argument '$1'; known are --output, --guest-binary, --cache and --version" ;;
        esac
        shift 2
    done
    [[ -n $output && -n $guest_binary && -n $cache ]] || die "--output, --guest-binary and --cache are needed"
    [[ $version =~ ^[a-z0-9][a-z0-9.-]*$ ]] || die "the version '$version' is not made of a-z, 0-9, '.' and '-'"
    [[ -x $guest_binary ]] || die "there is no program $guest_binary (build the target baton-guest)"
    [[ $EUID -eq 0 ]] || die "must run as root: files in the image belong to root"
    local tool
    for tool in dpkg-deb apt-get qemu-img mkfs.ext4 cpio depmod modprobe xz zstd od; do
        command -v "$tool" >/dev/null || die "'$tool' is missing; install what packaging/debian-packages/run.txt lists"
    done
    mkdir -p "$output" "$cache"
    output=$(realpath "$output") cache=$(realpath "$cache") guest_binary=$(realpath "$guest_binary")
    work=$(mktemp -d "$output/.work.XXXXXX")
    trap 'rm -rf "$work"' EXIT
}

# quietly COMMAND...: its output is shown only if it fails
quietly() {
    "$@" >"$work/log" 2>&1 && return
    tail -n 20 "$work/log" >&2
    die "'$1' failed; its last lines are above"
}

# The cache is shared by recipes that run at the same time: what is looked for, fetched and put there is under its lock,
# and comes to its name whole, by a rename.
with_cache_locked() {
    local lock status=0
    exec {lock}>"$cache/lock"
    flock "$lock"
    "$@" || status=$?
    exec {lock}>&-
    return $status
}

# package NAME: prints the path of its .deb in the cache, fetched through apt if it is not there
package() { with_cache_locked find_or_fetch_package "$1"; }
cached_package() { find "$cache" -maxdepth 1 -name "$1_*.deb" | sort -V | tail -n 1; }
find_or_fetch_package() {
    local name=$1 found fetched
    found=$(cached_package "$name")
    if [[ -z $found ]]; then
        apt-cache show --no-all-versions "$name" >/dev/null 2>&1 || quietly apt-get update -qq
        rm -rf "$cache"/partial* # of a fetch that was killed: the lock is ours
        fetched=$(mktemp -d "$cache/partial.XXXXXX")
        if ! (cd "$fetched" && apt-get -o APT::Sandbox::User=root download -qq "$name" && mv ./"${name}"_*.deb ..) \
            >"$work/log" 2>&1; then
            rm -rf "$fetched"
            cat "$work/log" >&2
            die "cannot fetch the package $name through apt"
        fi
        rm -rf "$fetched"
        found=$(cached_package "$name")
    fi
    echo "$found"
}

# unpack_package NAME FOLDER
unpack_package() {
    local deb
    deb=$(package "$1") || exit 1
    quietly dpkg-deb -x "$deb" "$2"
}

# kernel_package: the name of the newest image package that linux-image-amd64 stands for, or of the one the cache has
kernel_package() {
    local name
    name=$(find "$cache" -maxdepth 1 -name 'linux-image-[0-9]*-amd64_*.deb' -printf '%f\n' | sort -V | tail -n 1)
    name=${name%%_*}
    if [[ -z $name ]]; then
        apt-cache show --no-all-versions linux-image-amd64 >/dev/null 2>&1 || quietly apt-get update -qq
        name=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: \(linux-image-[^ ]*\)$/\1/p' | head -n 1)
        [[ -n $name ]] || die "apt knows no linux-image-amd64; check /etc/apt"
    fi
    echo "$name"
}

# unpack_kernel: the kernel's package into $work/kernel; sets release (6.1.0-...-amd64)
unpack_kernel() {
    local name
    name=$(kernel_package) || exit 1
    unpack_package "$name" "$work/kernel"
    release=$(basename "$work"/kernel/lib/modules/*)
    depmod -b "$work/kernel" "$release"
}

# extract_vmlinux BZIMAGE OUT: the uncompressed kernel, which QEMU starts directly (PVH) some three seconds sooner than
# the bzImage without KVM. Offsets as in the kernel's Documentation/x86/boot.rst.
extract_vmlinux() {
    local setup offset length magic
    setup=$(od -An -tu1 -j 497 -N 1 "$1" | tr -d ' ')
    offset=$(((setup + 1) * 512 + $(od -An -tu4 -j 584 -N 4 "$1")))
    length=$(($(od -An -tu4 -j 588 -N 4 "$1")))
    # the last four bytes are the length after unpacking, which xz and zstd do not want to see
    quietly dd if="$1" of="$work/payload" bs=1M iflag=skip_bytes,count_bytes skip=$offset count=$((length - 4))
    magic=$(od -An -tx1 -N 4 "$work/payload" | tr -d ' ')
    case $magic in
    fd377a58) xz -dc --single-stream "$work/payload" >"$2" ;;
    28b52ffd) zstd -dcq "$work/payload" >"$2" ;;
    *) die "the kernel $1 is compressed in a way that is not known here (its data begins with $magic)" ;;
    esac
    [[ $(od -An -tx1 -N 4 "$2" | tr -d ' ') == 7f454c46 ]] || die "unpacking $1 gave no ELF file"
    rm -f "$work/payload"
}

# module_order NAME...: the modules and what they need, in the order of loading, as paths below $work/kernel
module_order() {
    local name
    for name in "$@"; do
        modprobe -d "$work/kernel" -S "$release" --show-depends "$name" || die "this kernel has no module '$name'"
    done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++'
}

# copy_module FROM TO: without its signature, whose check costs more than loading does when there is no KVM. A
# signature is a trailer: 12 bytes, of which the last four are the length of what stands before them, and a magic text.
copy_module() {
    local magic=28 size length
    size=$(stat -c %s "$1")
    cp "$1" "$2"
    if [[ $(tail -c $magic "$1" | tr -d '\n\0') == '~Module signature appended~' ]]; then
        length=$((16#$(tail -c $((magic + 4)) "$1" | head -c 4 | od -An -tx1 | tr -d ' ')))
        truncate -s $((size - magic - 12 - length)) "$2"
    fi
}

# debian_root ROOT PACKAGE...: a Debian of the suite and from the mirrors that this machine uses, packages kept in the cache
debian_root() { debian_of minbase "$@"; }
# debian_files ROOT PACKAGE...: the files of packages and of what they depend on, unpacked and not set up
debian_files() { debian_of extract "$@"; }
debian_of() {
    local variant=$1 root=$2 packages
    shift 2
    packages=$(IFS=,; echo "$*")
    local sources=$work/sources.list
    apt-get indextargets 'Created-By: Packages' 'Origin: Debian' --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' |
        sort -u >"$sources"
    [[ -s $sources ]] || { quietly apt-get update -qq; apt-get indextargets 'Created-By: Packages' 'Origin: Debian' \
        --format 'deb $(REPO_URI) $(RELEASE) $(COMPONENT)' | sort -u >"$sources"; }
    [[ -s $sources ]] || die "apt knows no Debian mirror; check /etc/apt"
    mkdir -p "$cache/archives" "$work/archives"
    with_cache_locked copy_archives "$cache/archives" "$work/archives"
    quietly mmdebstrap --mode=root --variant="$variant" --format=directory --include="$packages" \
        --aptopt='APT::Install-Recommends "false"' \
        --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' --dpkgopt='path-exclude=/usr/share/info/*' \
        --skip=download/empty --skip=essential/unlink \
        --setup-hook='mkdir -p "$1/var/cache/apt/archives"' \
        --setup-hook="sync-in '$work/archives' /var/cache/apt/archives" \
        --customize-hook="sync-out /var/cache/apt/archives '$work/archives'" \
        '' "$root" "$sources"
    with_cache_locked copy_archives "$work/archives" "$cache/archives"
}
# copy_archives FROM TO: the packages that TO lacks, by a link where the two are on one filesystem
copy_archives() {
    local file name
    for file in "$1"/*.deb; do
        name=$(basename "$file")
        [[ -e $file && ! -e $2/$name ]] || continue
        ln "$file" "$2/$name" 2>/dev/null || { cp "$file" "$2/$name.partial" && mv "$2/$name.partial" "$2/$name"; }
    done
}

# busybox_in ROOT: busybox with all its names in ROOT/bin
busybox_in() {
    local name
    unpack_package busybox-static "$work/busybox"
    mkdir -p "$1/bin"
    cp "$work/busybox/bin/busybox" "$1/bin/"
    for name in $("$work/busybox/bin/busybox" --list); do
        [[ $name == busybox || -e $1/bin/$name ]] || ln -s busybox "$1/bin/$name"
    done
}

# make_initrd MODULE...: $output/initrd, with what it takes to reach the root on the first virtio disk
make_initrd() {
    local root=$work/initrd module modules folder names=()
    folder=$root/lib/modules/$release
    mkdir -p "$root"/{bin,dev,newroot} "$folder"
    cp "$work/busybox/bin/busybox" "$root/bin/"
    modules=$(module_order "$@")
    for module in $modules; do
        copy_module "$module" "$folder/$(basename "$module")"
        names+=("$(basename "$module" .ko)")
    done
    # one line, in the order of loading: one process loads them all
    echo "${names[*]}" >"$root/modules"
    quietly depmod -b "$root" "$release"
    find "$folder" -name 'modules.*' ! -name modules.dep -delete
    cp "$here/initrd-init" "$root/init"
    chmod 755 "$root/init"
    # not compressed: QEMU hands it over at once, and unpacking costs 0.2 s without KVM
    (cd "$root" && find . -print0 | sort -z | cpio -0 -o -H newc --quiet --reproducible) >"$output/initrd"
}

# make_disk ROOT SIZE: $output/disk.qcow2 with ROOT as an ext4 without a journal: nothing written there outlives the VM
make_disk() {
    local raw=$work/disk.raw
    truncate -s "$2" "$raw"
    quietly mkfs.ext4 -q -F -L baton-os -O ^has_journal,^metadata_csum -m 0 -E lazy_itable_init=1,nodiscard -d "$1" "$raw"
    quietly qemu-img convert -O qcow2 -o compat=1.1 "$raw" "$output/disk.qcow2"
    rm -f "$raw"
}

# What the kernel is started with: nothing that a desktop has no use for and that takes time without KVM (self-tests of
# ciphers, probes for tracing, hardening against neighbours in the same machine that are not there). The check of the
# timer counts its ticks against the processor's speed, and panics on a host that is busy; a panic is a reboot, which
# ends the desktop at once. Write protection of the kernel's own pages costs 0.3 s of walking through them; who has
# broken into the kernel of a system that is thrown away has what its person has.
kernel_arguments="console=ttyS0 quiet no_timer_check panic=-1 mitigations=off nokaslr rodata=off audit=0 apparmor=0 \
cryptomgr.notests tsc=reliable initcall_blacklist=crypto_kdf108_init,init_kprobe_trace"

# write_recipe DESCRIPTION KERNEL_ARGUMENTS MINIMUM_MEMORY_MIB (texts without quotes or backslashes)
write_recipe() {
    cat >"$output/recipe.json" <<JSON
{
  "description": "$1",
  "kernel_arguments": "$2",
  "minimum_memory_mib": $3,
  "firmware": "bios",
  "has_guest_agent": true
}
JSON
}
