#include "hypervisor/xml.h"

#include <new>

namespace baton::hypervisor::xml {

namespace {

const xmlChar* in(const char* text) {
    return reinterpret_cast<const xmlChar*>(text);
}

const xmlChar* in(const std::string& text) {
    return in(text.c_str());
}

std::string out(const xmlChar* text) {
    return text == nullptr ? std::string{} : std::string(reinterpret_cast<const char*>(text));
}

struct FreeContext {
    void operator()(xmlXPathContext* context) const { xmlXPathFreeContext(context); }
};

struct FreeObject {
    void operator()(xmlXPathObject* object) const { xmlXPathFreeObject(object); }
};

struct FreeBuffer {
    void operator()(xmlBuffer* buffer) const { xmlBufferFree(buffer); }
};

} // namespace

Document make(const char* root) {
    Document document(xmlNewDoc(in("1.0")));
    if (!document)
        throw std::bad_alloc();
    xmlDocSetRootElement(document.get(), xmlNewNode(nullptr, in(root)));
    return document;
}

xmlNode* root(const Document& document) {
    return xmlDocGetRootElement(document.get());
}

xmlNode* add(xmlNode* parent, const char* name, Attributes attributes, const std::string& text) {
    xmlNode* node = xmlNewTextChild(parent, nullptr, in(name), text.empty() ? nullptr : in(text));
    if (node == nullptr)
        throw std::bad_alloc();
    for (const auto& [key, data] : attributes)
        set(node, key, data);
    return node;
}

void set(xmlNode* node, const char* attribute, const std::string& value) {
    xmlSetProp(node, in(attribute), in(value));
}

std::string text(const Document& document) {
    return text(root(document));
}

std::string text(xmlNode* node) {
    const std::unique_ptr<xmlBuffer, FreeBuffer> buffer(xmlBufferCreate());
    if (!buffer)
        throw std::bad_alloc();
    xmlNodeDump(buffer.get(), node->doc, node, 0, 1);
    return out(xmlBufferContent(buffer.get()));
}

Document parse(std::string_view text) {
    if (text.size() > std::size_t{16} << 20)
        return nullptr;
    return Document(xmlReadMemory(text.data(), static_cast<int>(text.size()), nullptr, "UTF-8",
                                  XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING |
                                      XML_PARSE_NOBLANKS));
}

std::vector<xmlNode*> find(const Document& document, const char* path, const char* prefix,
                           const char* name_space) {
    std::vector<xmlNode*> found;
    const std::unique_ptr<xmlXPathContext, FreeContext> context(xmlXPathNewContext(document.get()));
    if (!context)
        throw std::bad_alloc();
    if (prefix != nullptr)
        xmlXPathRegisterNs(context.get(), in(prefix), in(name_space));
    const std::unique_ptr<xmlXPathObject, FreeObject> object(
        xmlXPathEvalExpression(in(path), context.get()));
    if (!object || object->nodesetval == nullptr)
        return found;
    for (int i = 0; i < object->nodesetval->nodeNr; ++i)
        found.push_back(object->nodesetval->nodeTab[i]);
    return found;
}

std::string value(const Document& document, const char* path, const char* prefix,
                  const char* name_space) {
    const std::vector<xmlNode*> found = find(document, path, prefix, name_space);
    if (found.empty())
        return {};
    xmlChar* content = xmlNodeGetContent(found.front());
    std::string text = out(content);
    xmlFree(content);
    return text;
}

} // namespace baton::hypervisor::xml
