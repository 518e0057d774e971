//! `ingest-trades`, which records the trades that a queue delivers.

use std::collections::BTreeMap;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::bot_tokens::issue_bot_token;
use crate::support::database::{Database, PRO};
use crate::support::world::World;

const FUNCTION: &str = "ingest-trades";

/// Bot that reports through the queue.
struct QueueReporter {
    world: World,
    bot: String,
    /// SHA-256 of the bot's token.
    hash: String,
}

impl QueueReporter {
    async fn new() -> Self {
        Self::with_world(World::new().await).await
    }

    async fn with_world(world: World) -> Self {
        let user = world.sign_in("pro@nofomo.test").await;
        let bot = world.oldest_bot_of(PRO).await;
        let token = issue_bot_token(&world, &user, &bot).await;
        let hash = format!("select encode(sha256('{token}'::bytea), 'hex')");
        let hash = world.database.owner().await.text(&hash).await;
        Self { world, bot, hash }
    }

    fn report(&self, trades: &Value) -> Value {
        json!({ "bot_id": self.bot, "bot_token_hash": self.hash, "trades": trades })
    }

    /// Delivers the messages as one batch; returns the indexes of the failed ones.
    async fn deliver(&self, bodies: &[String]) -> Vec<usize> {
        let records = bodies.iter().enumerate().map(|(number, body)| {
            json!({
                "messageId": number.to_string(), "receiptHandle": "r", "body": body, "attributes": {}, "messageAttributes": {},
                "eventSource": "aws:sqs", "eventSourceARN": "arn:aws:sqs:ap-southeast-3:1:trades", "awsRegion": "ap-southeast-3",
            })
        });
        let event = json!({ "Records": records.collect::<Vec<_>>() }).to_string();
        let answer = self.world.send(Method::POST, &format!("/_local/invoke/{FUNCTION}"), &[], &event).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let answer = answer.json();
        let failures = answer["batchItemFailures"].as_array().unwrap_or_else(|| panic!("{answer}")).iter();
        failures.map(|failure| failure["itemIdentifier"].as_str().unwrap().parse().unwrap()).collect()
    }

    async fn orders(&self) -> Vec<String> {
        let orders = format!(
            "select exchange_order_id::text from public.trades
             where bot_id = '{}' and exchange_order_id like 'Q%' order by exchange_order_id",
            self.bot
        );
        self.world.database.owner().await.list(&orders).await
    }
}

fn trade(order: &str) -> Value {
    json!({
        "side": "buy", "order_type": "market", "amount": "1", "price": "10", "entry_time": "2026-01-01T00:00:00Z",
        "exchange_order_id": order,
    })
}

#[tokio::test]
async fn a_batch_is_recorded_and_an_invalid_message_fails_alone() {
    let reporter = QueueReporter::new().await;
    let stranger = json!({ "bot_id": reporter.bot, "bot_token_hash": "00".repeat(32), "trades": [trade("Q9")] });
    let malformed_hash = json!({ "bot_id": reporter.bot, "bot_token_hash": "zz", "trades": [trade("Q9")], "more": 1 });
    let bodies = [
        reporter.report(&json!([trade("Q1"), trade("Q2")])).to_string(),
        "not JSON".into(),
        stranger.to_string(),
        reporter.report(&json!([trade("Q9"), {"side": "sideways"}])).to_string(),
        malformed_hash.to_string(),
        reporter.report(&trade("Q3")).to_string(),
        String::new(),
        reporter.report(&json!([])).to_string(),
    ];
    assert_eq!(reporter.deliver(&bodies).await, [1, 2, 3, 4, 6, 7]);
    assert_eq!(reporter.orders().await, ["Q1", "Q2", "Q3"]);
    // A queue may deliver a message more than once.
    assert_eq!(reporter.deliver(&bodies[..1]).await, Vec::<usize>::new());
    assert_eq!(reporter.orders().await, ["Q1", "Q2", "Q3"]);
    let line = reporter.world.log_lines("Run completed", 2).await.remove(0);
    assert_eq!((&line["messages"], &line["taken"], &line["not_taken"]), (&json!(8), &json!(3), &json!(6)));
    let refused = reporter.world.log_lines("Message failed", 6).await;
    let outcomes: Vec<_> = refused.iter().map(|line| line["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["not-json", "unauthenticated", "invalid", "invalid", "not-json", "invalid"]);
}

#[tokio::test]
async fn a_report_without_order_ids_is_identified_by_its_key() {
    let reporter = QueueReporter::new().await;
    let mut report = reporter.report(&json!({
        "side": "buy", "order_type": "market", "amount": "7", "price": "10", "entry_time": "2026-01-01T00:00:00Z",
    }));
    report["key"] = json!("report-1");
    for _ in 0..2 {
        assert_eq!(reporter.deliver(&[report.to_string(), report.to_string()]).await, Vec::<usize>::new());
    }
    let count = format!("select count(*) from public.trades where bot_id = '{}' and amount = 7", reporter.bot);
    assert_eq!(reporter.world.database.owner().await.text(&count).await, "1");
}

#[tokio::test]
async fn while_the_database_is_unavailable_no_message_is_accepted_or_lost() {
    // Bypasses the pooler, which keeps connections open.
    let database = Database::new().await;
    let settings = BTreeMap::from([("DATABASE_URL".into(), database.url("nofomo_api"))]);
    let reporter = QueueReporter::with_world(World::on_database(database, settings).await).await;
    let bodies: Vec<_> = (1..=5).map(|n| reporter.report(&trade(&format!("Q{n}"))).to_string()).collect();
    let owner = reporter.world.database.owner().await;
    let limit = |limit| format!("alter database {} connection limit {limit}", reporter.world.database.name);
    owner.run(&limit(0)).await.unwrap();
    assert_eq!(reporter.deliver(&bodies).await, [0, 1, 2, 3, 4]);
    let failures = reporter.world.log_lines("Message failed", 1).await;
    assert_eq!(
        (failures.len(), &failures[0]["outcome"]),
        (1, &json!("unavailable")),
        "only the first message waits for the database"
    );
    owner.run(&limit(-1)).await.unwrap();
    assert_eq!(reporter.deliver(&bodies).await, Vec::<usize>::new());
    assert_eq!(reporter.orders().await, ["Q1", "Q2", "Q3", "Q4", "Q5"]);
}
