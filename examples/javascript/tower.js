import { greet } from "example:greet/greeting@0.1.0";

export const greeting = {
  greet: (name) => `JavaScript[${greet(name)}]`,
};
