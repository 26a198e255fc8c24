/** The socket of this page. main.js opens it where somebody is signed in. */

import { Link } from "./socket.js";

export const link = new Link(new URL("/ws/", location.href.replace(/^http/, "ws")).href);
