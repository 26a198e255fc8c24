/** The page's script: brings the parts together. */

import "./htmx.js";
import "./localtime.js";
import "./notices.js";
import "./connection.js";
import "./copy.js";
import "./citing.js";
import "./answer.js";
import "./prose-text.js";
import { showAppearance } from "./appearance.js";
import { drawPage } from "./firstpaint.js";
import { link } from "./link.js";
import { fetchWhenIdle } from "./maths.js";
import { showModel } from "./models.js";
import { keepPlace } from "./sidebar.js";
import "./acts.js";
import "./again.js";
import "./composer.js";
import "./details.js";
import "./earlier.js";
import "./sendestimate.js";
import "./thread.js";

keepPlace();
showAppearance();
showModel();
drawPage();
document.addEventListener("htmx:after:swap", showModel);
if (document.body.dataset.page === "chat") {
  link.open();
  fetchWhenIdle();
}
