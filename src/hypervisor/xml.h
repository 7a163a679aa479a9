#pragma once

#include <libxml/parser.h>
#include <libxml/tree.h>
#include <libxml/xpath.h>
#include <libxml/xpathInternals.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

/// A thin hold on libxml2: owned documents, elements with attributes, XPath to strings. All text
/// goes in as data and is escaped by libxml2.
namespace baton::hypervisor::xml {

struct FreeDocument {
    void operator()(xmlDoc* document) const { xmlFreeDoc(document); }
};

using Document = std::unique_ptr<xmlDoc, FreeDocument>;
using Attributes = std::initializer_list<std::pair<const char*, std::string>>;

/// A new document with that root element.
Document make(const char* root);
xmlNode* root(const Document& document);

/// Appends <name attributes>text</name>; returns the new element, owned by the document.
xmlNode* add(xmlNode* parent, const char* name, Attributes attributes = {},
             const std::string& text = {});
void set(xmlNode* node, const char* attribute, const std::string& value);

/// The document or one element of it as text.
std::string text(const Document& document);
std::string text(xmlNode* node);

/// nullptr if `text` is not XML. No network, no entities beyond XML's own.
Document parse(std::string_view text);

/// The elements or attributes that `path` finds, in document order. `prefix` may stand for one
/// namespace in it.
std::vector<xmlNode*> find(const Document& document, const char* path, const char* prefix = nullptr,
                           const char* name_space = nullptr);
/// The text of the first of them, or "".
std::string value(const Document& document, const char* path, const char* prefix = nullptr,
                  const char* name_space = nullptr);

} // namespace baton::hypervisor::xml
