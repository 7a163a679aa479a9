#pragma once

#include "programs/baton/remote.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

/// `baton desk`: one group for both kinds of desks. NAME is a managed desk, kept by the desk server
/// (managed_desk.cpp); a path with a '/' in it is a detached one, a file here (detached_desk.cpp).
namespace baton::cli {

struct DeskOptions {
    std::shared_ptr<ConnectionOptions> connection;
    std::string target; ///< NAME or ./FILE
    std::string owner;
    std::optional<std::int64_t> size_bytes;
    std::string file;            ///< of export and import
    bool repair = false;         ///< of check
    std::string snapshot;        ///< of snapshot and restore: its name
    std::string place;           ///< of checkout and checkin: where the copy goes or stays
    bool forget = false;         ///< of snapshot: remove it; of checkin: the copy is lost
    std::string policy;          ///< of diff: a policy file of the player's; empty: the usual one
    std::string over = "/";      ///< of diff: the folder of the base that may be compared with
    bool summary = false;        ///< of diff: no list of files
    bool packed = false;         ///< of export: packed, whatever the file is called
    bool encrypt = false;        ///< of create and export: under a passphrase
    bool decrypt = false;        ///< of export
    std::string passphrase_file; ///< empty: it is asked for
    std::optional<std::string> files; ///< of show: list this folder of the desk
    bool as_json = false;
};

/// "./kim.desk", "/media/stick/kim.desk": a file, not a name.
bool is_desk_file(const std::string& target);

/// What a kind of desk can do. Each prints its result, or throws CommandFailed.
class Desks {
  public:
    virtual ~Desks() = default;
    virtual void create(const DeskOptions& options) = 0;
    virtual void show(const DeskOptions& options) = 0;
    virtual void check(const DeskOptions& options) = 0;
    virtual void remove(const DeskOptions& options) = 0;
    /// To a file: an image, or packed (options.packed, or the name ends with ".zst").
    virtual void export_to(const DeskOptions& options) = 0;
    /// From a file of either kind.
    virtual void import_from(const DeskOptions& options) = 0;
    virtual void snapshot(const DeskOptions& options) = 0;
    virtual void restore(const DeskOptions& options) = 0;
    virtual void diff(const DeskOptions& options) = 0;
    /// Into options.file, which goes away, while the desk stays and nobody opens it.
    virtual void check_out(const DeskOptions& options) = 0;
    /// options.file comes back.
    virtual void check_in(const DeskOptions& options) = 0;
};

std::unique_ptr<Desks> managed_desks();
std::unique_ptr<Desks> detached_desks();

/// Managed desks alone can be listed.
void list_desks(const DeskOptions& options);
void export_desk(const DeskOptions& options); ///< export_to of managed desks
void import_desk(const DeskOptions& options); ///< import_from of managed desks

void diff_desk_file(const DeskOptions& options); ///< diff of detached desks

/// Out of options.passphrase_file, or asked on the terminal, twice if it is a new one.
std::string passphrase_for(const DeskOptions& options, bool is_new);

/// options.place, or this machine's name as one.
std::string place_of(const DeskOptions& options);

/// The object with --json, else the sentence.
void say(const DeskOptions& options, const boost::json::object& object,
         const std::string& sentence);

/// Whether an export to this file is to be packed.
bool wants_packed(const DeskOptions& options);

} // namespace baton::cli
