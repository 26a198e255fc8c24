"""XML of SAML: parsed, held against the schema, its signatures checked.

By python3-saml, xmlsec and lxml, which are optional: this module alone imports them, and only when asked.
Of python3-saml it takes the schemas and the check of signatures. What a response must say is checked in
saml_answers, more narrowly than python3-saml does: it allows five minutes between clocks, answers to nothing,
and recipients and audiences that are left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from importlib.util import find_spec
from typing import Any

from .refusals import Faulty

MOST_BYTES = 256 * 1024
INSTALL = "For SAML run pip install --require-hashes -r requirements-saml.txt, then start Parley again."
NAMES = {
    "samlp": "urn:oasis:names:tc:SAML:2.0:protocol",
    "saml": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}
_MORE = "http://www.w3.org/2001/04/xmldsig-more#"
SIGNATURES = {f"{_MORE}{kind}-sha{bits}" for kind in ("rsa", "ecdsa") for bits in (256, 384, 512)}
DIGESTS = {
    "http://www.w3.org/2001/04/xmlenc#sha256",
    f"{_MORE}sha384",
    "http://www.w3.org/2001/04/xmlenc#sha512",
}
CANONICAL = "http://www.w3.org/2001/10/xml-exc-c14n#"
TRANSFORMS = {f"{NAMES['ds']}enveloped-signature", CANONICAL}


def is_installed() -> bool:
    return all(find_spec(name) is not None for name in ("onelogin", "xmlsec", "lxml"))


def parsed(data: bytes) -> Any:
    """The root element. No DTD, no entities, nothing fetched, UTF-8 alone. Raises Faulty."""
    if not is_installed():
        raise Faulty(INSTALL)
    from lxml import etree

    if len(data) > MOST_BYTES:
        raise Faulty(f"The XML is larger than {MOST_BYTES // 1024} KiB.")
    if b"<!DOCTYPE" in data.upper() or b"<!ENTITY" in data.upper():
        raise Faulty("The XML has a document type or entities, which are not read.")
    # The encoding is ours, whatever the declaration says: in another one the words above could hide.
    parser = etree.XMLParser(
        encoding="utf-8", resolve_entities=False, load_dtd=False, no_network=True, huge_tree=False
    )
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError:
        raise Faulty("This is no well-formed XML.") from None
    if root.getroottree().docinfo.doctype:
        raise Faulty("The XML has a document type or entities, which are not read.")
    return root


def found(node: Any, path: str) -> list[Any]:
    """Elements by an XPath with the prefixes of NAMES."""
    return list(node.xpath(path, namespaces=NAMES))


def text(node: Any) -> str:
    """Of an element that holds text alone; "" else."""
    return "" if len(node) else (node.text or "").strip()


def has_comments(root: Any) -> bool:
    """Comments, processing instructions or entities, by which one text could be read as two."""
    return any(not isinstance(node.tag, str) for node in root.iter())


def fits_schema(root: Any) -> bool:
    from onelogin.saml2.xml_utils import OneLogin_Saml2_XML as Xml

    return not isinstance(Xml.validate_xml(root, "saml-schema-protocol-2.0.xsd"), str)


def why_not_signed(root: Any, certificates: Iterable[str]) -> str:
    """ "" where the one assertion of the response is signed as a whole by one of these certificates, with
    algorithms that hold; and the response too, if it has a signature. Else what is wrong.

    A signature is looked for where it must stand, and it covers the element that holds it: so no element that
    was put elsewhere is read in the place of the signed one.
    """
    from onelogin.saml2.utils import OneLogin_Saml2_Utils as Utils

    assertion = found(root, "/samlp:Response/saml:Assertion")[0]
    signatures = found(root, "//ds:Signature")
    holders = [each.getparent() for each in signatures]
    if assertion not in holders:
        return "The assertion is not signed."
    if any(holder not in (root, assertion) for holder in holders) or len(set(holders)) != len(holders):
        return "It has signatures in places where none may be."
    ids = [value for value in root.xpath("//@ID | //@Id | //@id | //@xml:id")]
    if len(set(ids)) != len(ids):
        return "It uses an ID twice."
    for signature, holder in zip(signatures, holders, strict=True):
        if why := _why_weak(signature, holder.get("ID", "")):
            return why
        path = Utils.ASSERTION_SIGNATURE_XPATH if holder is assertion else Utils.RESPONSE_SIGNATURE_XPATH
        if not any(Utils.validate_sign(root, cert=each, xpath=path) is True for each in certificates):
            return (
                "The signature is not by a certificate that is entered here, or what it covers was changed."
            )
    return ""


def _why_weak(signature: Any, id: str) -> str:
    def algorithms(path: str) -> list[str]:
        return [each.get("Algorithm", "") for each in found(signature, path)]

    references = found(signature, "./ds:SignedInfo/ds:Reference")
    if not id or [each.get("URI") for each in references] != [f"#{id}"] or found(signature, ".//ds:Object"):
        return "A signature is about something else than the element that holds it."
    methods, digests = algorithms(".//ds:SignatureMethod"), algorithms(".//ds:DigestMethod")
    if (
        len(methods) != 1
        or len(digests) != 1
        or not set(methods) <= SIGNATURES
        or not set(digests) <= DIGESTS
    ):
        return "It is signed with an algorithm that is not accepted. Let the provider sign with SHA-256."
    transforms = algorithms(".//ds:Transform")
    if algorithms(".//ds:CanonicalizationMethod") != [CANONICAL] or not set(transforms) <= TRANSFORMS:
        return "Its signature uses transforms that are not accepted."
    return ""
