// Signs in, creates a bot, and finds it in the portfolio: node out/example.js http://127.0.0.1:9000
import { randomUUID } from "node:crypto";
import { nofomo } from "./client.js";

const [, , url = "http://127.0.0.1:9000", email = "pro@nofomo.test"] = process.argv;

const signedIn = await fetch(`${url}/auth/v1/token?grant_type=password`, {
  method: "POST",
  headers: { "Content-Type": "application/json" },
  body: JSON.stringify({ email, password: "nofomo-dev" }),
});
const { access_token: token } = (await signedIn.json()) as { access_token: string };
const api = nofomo(url, () => token);

const created = await api.POST("/bots", {
  // Sent again with the same key, it is still one bot.
  params: { header: { "Idempotency-Key": randomUUID() } },
  body: {
    name: "A bot of TypeScript",
    exchange: "binance",
    trading_pair: "BTC/USDT",
    timeframe: "1h",
    strategy: "EMA cross",
    initial_balance: "1000",
    stake_amount: "100",
  },
});
if (!created.data) {
  // A problem, or what API Gateway answers itself.
  const { error } = created;
  throw new Error("detail" in error ? error.detail : error.message);
}

const { data: portfolio } = await api.GET("/portfolio");
const bot = portfolio?.bots.find(({ id }) => id === created.data.id);
if (!portfolio || !bot) throw new Error("the bot is not in the portfolio");
console.log(`${portfolio.user.email} has ${bot.name}, which is ${bot.status}: ${bot.id}`);
