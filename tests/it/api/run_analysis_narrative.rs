//! `POST /analyses` with a narrative by a language model.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use crate::support::analyses::{only_block, run_analysis, world_with_trades_and_settings};
use crate::support::database::{ENTERPRISE, FREE};
use crate::support::language_model::{answer_with, completion, start_language_model};
use crate::support::world::World;

#[tokio::test]
async fn a_narrative_with_correct_figures_is_returned_and_the_model_receives_figures_only() {
    let (model, settings) = start_language_model().await;
    let (world, token, bot) = world_with_trades_and_settings("main", settings).await;
    let narrative = json!({"text": "It won 56.2 % of 1,000 trades.\n\nThe confidence is 0.17.",
        "recommendations": ["Trade less often: fees take 70.6 % of the gain."]});
    answer_with(&model, completion(&narrative.to_string())).await;
    let analysis =
        run_analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot, "narrative": true})).await;
    assert_eq!(analysis["results"]["narrative"], json!({"text": narrative["text"], "model": "words-2026-01"}));
    assert_eq!(analysis["results"].get("narrative_error"), None);
    assert_eq!((&analysis["model_used"], &analysis["tokens_used"]), (&json!("words-2026-01"), &json!(1234)));
    assert!(analysis["recommendations"].as_array().unwrap().contains(&narrative["recommendations"][0]));

    let requests = model.received_requests().await.unwrap();
    assert_eq!(requests.len(), 1);
    let request = String::from_utf8(requests[0].body.clone()).unwrap();
    assert!(request.contains("profit_factor") && request.contains("json_schema"));
    for secret in [bot.as_str(), ENTERPRISE, "Secret name", "enterprise@nofomo.test", "Eka", "EMA cross", &token] {
        assert!(!request.contains(secret), "{secret}: {request}");
    }

    // Without a narrative requested, the model is not called.
    let without_narrative = run_analysis(&world, &token, json!({"analysis_type": "performance", "bot_id": bot})).await;
    assert_eq!(
        (without_narrative["results"].get("narrative"), without_narrative["results"].get("narrative_error")),
        (None, None)
    );
    assert_eq!(model.received_requests().await.unwrap().len(), 1);
    assert_eq!(without_narrative["results"]["blocks"], analysis["results"]["blocks"]);
}

#[tokio::test]
async fn the_analysis_succeeds_whatever_the_model_does() {
    let (model, settings) = start_language_model().await;
    let (world, token, bot) = world_with_trades_and_settings("main", settings).await;
    let body = json!({"analysis_type": "performance", "bot_id": bot, "narrative": true});
    let invented = json!({"text": "A Sharpe ratio of 4.14 and 56.2 % wins.", "recommendations": []}).to_string();
    let mut expected: Option<Value> = None;
    for (answer, reason, tokens) in [
        (completion(&invented), "the figure 4.14", 1234),
        (completion("Your bot is great!"), "the requested form", 1234),
        (ResponseTemplate::new(503).set_body_string("down"), "503", 0),
        (ResponseTemplate::new(200).set_body_bytes(vec![b'x'; 10_000_000]), "more than 262144 bytes", 0),
        (completion("{}").set_delay(Duration::from_secs(25)), "within 20 s", 0),
    ] {
        answer_with(&model, answer).await;
        let analysis = run_analysis(&world, &token, body.clone()).await;
        let error = analysis["results"]["narrative_error"].as_str().unwrap();
        assert!(error.contains(reason), "{reason}: {error}");
        assert_eq!(analysis["results"].get("narrative"), None);
        assert_eq!((&analysis["model_used"], &analysis["tokens_used"]), (&json!("nofomo-quant-1"), &json!(tokens)));
        let block = only_block(&analysis).clone();
        assert_eq!(*expected.get_or_insert(block.clone()), block);
        assert_eq!(model.received_requests().await.unwrap().len(), 1, "{reason}: requested once");
    }
    drop(model);
    let unreachable = run_analysis(&world, &token, body).await;
    assert!(unreachable["results"]["narrative_error"].as_str().unwrap().contains("no answer"), "{unreachable}");
    assert!(!world.log().contains("key-of-the-model"));
    assert_eq!(only_block(&unreachable), &expected.unwrap());
}

#[tokio::test]
async fn without_a_model_the_analysis_says_that_none_is_configured() {
    let world = World::new().await;
    let token = world.sign_in("free@nofomo.test").await;
    let before: DateTime<Utc> = Utc::now();
    let analysis = run_analysis(&world, &token, json!({"analysis_type": "optimization", "narrative": true})).await;
    assert_eq!(analysis["results"]["narrative_error"], "There is no narrative: no language model is configured.");
    assert!(
        analysis["created_at"].as_str().unwrap().parse::<DateTime<Utc>>().unwrap()
            >= before - chrono::TimeDelta::seconds(5)
    );
    let owner = world.database.owner().await;
    assert_eq!(owner.text(&format!("select count(*) from public.ai_analyses where user_id = '{FREE}'")).await, "1");
}
