/** The pages of signing in: passkeys, and showing the password that is being typed. */

import "./passkeys.js";
import "./showpassword.js";
