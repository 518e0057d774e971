// A client whose paths, bodies and answers are those of openapi.json.
import createClient from "openapi-fetch";
import type { components, paths } from "./api.js";

/** Tables and views as supabase-js reads them: `createClient<Database>(…)`. */
export type { Database } from "./database.js";

export type Schemas = components["schemas"];

/** `baseUrl` is the API's; `token` is asked before each request: an access token, or a bot's own. */
export function nofomo(baseUrl: string, token: () => string | Promise<string>) {
  const client = createClient<paths>({ baseUrl });
  client.use({
    async onRequest({ request }) {
      request.headers.set("Authorization", `Bearer ${await token()}`);
      return request;
    },
  });
  return client;
}
