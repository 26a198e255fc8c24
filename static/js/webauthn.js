/** Passkeys between the server's JSON, whose bytes are base64url text, and the browser's interface, which takes
 * buffers. Browsers learned to do this themselves only lately (PublicKeyCredential.parse…FromJSON, toJSON). */

/** @param {string} text */
export function bytesOf(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (character) => character.charCodeAt(0));
}

/** @param {ArrayBuffer | null | undefined} buffer */
export function textOf(buffer) {
  if (!buffer) return undefined;
  const plain = Array.from(new Uint8Array(buffer), (byte) => String.fromCharCode(byte)).join("");
  return btoa(plain).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/**
 * What navigator.credentials takes. A new passkey is asked for with all it can do: to be found without a name,
 * and to know its owner. An old security key, which can do neither, still serves as a second step.
 * @param {any} publicKey @param {"get" | "create"} ceremony
 */
export function optionsFor(publicKey, ceremony) {
  const options = { ...publicKey, challenge: bytesOf(publicKey.challenge) };
  for (const list of ["allowCredentials", "excludeCredentials"])
    if (options[list])
      options[list] = options[list].map((/** @type {any} */ one) => ({ ...one, id: bytesOf(one.id) }));
  if (ceremony === "create") {
    options.user = { ...options.user, id: bytesOf(options.user.id) };
    options.authenticatorSelection = { residentKey: "preferred", userVerification: "preferred" };
  }
  return { publicKey: options };
}

/** The browser's answer as the server reads it. @param {any} credential */
export function answerOf(credential) {
  const { response } = credential;
  /** @type {Record<string, any>} */
  const said = { clientDataJSON: textOf(response.clientDataJSON) };
  for (const name of ["attestationObject", "authenticatorData", "signature", "userHandle"])
    if (response[name]) said[name] = textOf(response[name]);
  if (response.getTransports) said.transports = response.getTransports();
  return {
    id: credential.id,
    rawId: textOf(credential.rawId),
    type: credential.type,
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: said,
  };
}
