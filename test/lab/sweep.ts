/** Removes what earlier runs of the lab left behind, and says what that was. */
import { sweep } from './namespace.js';

for (const name of sweep()) console.log(`removed ${name}`);
