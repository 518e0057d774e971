//! `GET /analyses/{analysis_id}/report`, read in a real browser.

use serde_json::{Value, json};

use crate::api::run_analysis::with_trades;
use crate::support::browser::Browser;
use crate::support::database::keeps_all_pictures;
use crate::support::world::World;

/// Where the parts of a page are that a reader must be able to find.
const PARTS: &str = "return [...document.querySelectorAll('h2')].map(heading => heading.innerText)";

/// Text whose colour is too near to that of what it stands on: less than WCAG's 4.5 to 1. And what nobody sees.
const PALE: &str = "
    const parts = colour => colour.match(/[\\d.]+/g).map(Number);
    const light = colour => {
        const linear = parts(colour).slice(0, 3).map(part => part / 255)
            .map(part => part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
    };
    const behind = element => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if ((parts(colour)[3] ?? 1) === 1) return colour;
        }
        return 'rgb(255, 255, 255)';
    };
    const pale = [];
    for (const element of document.querySelectorAll('body *')) {
        const text = [...element.childNodes].filter(node => node.nodeType === 3).map(node => node.data.trim()).join('');
        if (!text || element.closest('svg') || !element.checkVisibility({ contentVisibilityAuto: true })) continue;
        const [one, other] = [light(getComputedStyle(element).color), light(behind(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (contrast < 4.5) pale.push(`${text.slice(0, 40)}: ${contrast.toFixed(2)}`);
    }
    return pale";

/// How light the page itself is, and how many tables of numbers a reader of it sees.
const LOOK: &str = "
    const page = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
    const seen = table => table.checkVisibility() && table.getClientRects().length > 0
        && table.getBoundingClientRect().height > 0;
    return [page[0] < 60 && page[3] !== 0, [...document.querySelectorAll('details table')].every(seen),
        document.querySelectorAll('details table').length > 0]";

async fn analysis(world: &World, token: &str, body: Value) -> String {
    let answer = world.post("/analyses", token, &body).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// A backtest that the bot followed but for every sixteenth trade, and with other prices.
pub(crate) async fn backtest(world: &World, bot: &str) {
    let owner = world.database.owner().await;
    owner
        .run(&format!(
            "with backtest as (
                 insert into public.backtest_results (
                     strategy_id, user_id, trading_pair, timeframe, start_date, end_date, initial_balance, final_balance, total_return,
                     total_return_percentage, max_drawdown, win_rate, total_trades, winning_trades, losing_trades, best_trade,
                     worst_trade, avg_trade
                 )
                 select strategies.id, bots.user_id, bots.trading_pair, '1h', '2026-01-01', '2026-06-29', 1000, 1000, 0, 0, 0, 0, 0,
                     0, 0, 0, 0, 0
                 from public.bots
                 inner join public.strategies on strategies.name = bots.strategy and strategies.user_id = bots.user_id
                 where bots.id = '{bot}'
                 returning backtest_results.id
             )
             insert into private.backtest_trades (
                 backtest_id, position, trading_pair, side, amount, price, exit_price, fee, profit, entry_time, exit_time
             )
             select backtest.id, trades.position, trades.trading_pair, trades.side,
                 trades.amount, trades.price * 0.9995, trades.price * 1.001, trades.fee, trades.profit + 0.05, trades.entry_time,
                 trades.exit_time
             from backtest
             cross join (
                 select trades.*, row_number() over (order by trades.entry_time, trades.id) - 1 as position
                 from public.trades
                 where trades.bot_id = '{bot}'
             ) as trades
             -- Some that were made are missing there.
             where trades.position % 16 <> 7"
        ))
        .await
        .unwrap();
}

#[tokio::test]
async fn every_type_reads_well_on_a_phone_and_on_a_desk_and_asks_nobody_for_anything() {
    let (world, token, bot) = with_trades("main").await;
    backtest(&world, &bot).await;
    let owner = world.database.owner().await;
    // What a person or a model wrote is shown, and does nothing.
    let hostile = "<img src=http://127.0.0.1:9/name onerror=alert(1)>Averylongnamewithoutanyspaceinitatall";
    owner.run(&format!("update public.bots set name = '{hostile}' where id = '{bot}'")).await.unwrap();
    let mut reports = Vec::new();
    for kind in ["performance", "risk", "optimization", "backtest"] {
        let id = analysis(&world, &token, json!({ "analysis_type": kind, "bot_id": bot })).await;
        let narrative = json!({
            "text": "Fees took 397.86 USDT.\n\n<script src=http://127.0.0.1:9/text></script> Most of the gain came early.",
            "recommendations": ["<b>Wait</b> for more days."],
            "model": "example-large-3",
        });
        owner
            .run(&format!(
                "update public.ai_analyses set results = jsonb_set(results, '{{narrative}}', '{narrative}') where id = '{id}'"
            ))
            .await
            .unwrap();
        reports.push((kind, world.url(&format!("/_local/reports/{id}?email=enterprise@nofomo.test"))));
    }
    for (width, height, device) in [(390, 844, "phone"), (1280, 900, "desk")] {
        let browser = Browser::open(width, height).await;
        for (kind, url) in &reports {
            browser.go_to(url).await;
            assert!(!browser.overflows().await, "{kind} is wider than a {device}");
            assert_eq!(browser.requests().await, [url.as_str()], "{kind} on a {device}");
            assert_eq!(browser.complaints().await, Vec::<String>::new(), "{kind} on a {device}");
            let page = browser.text().await;
            for words in
                [hostile, "0.17", "<script src=http://127.0.0.1:9/text></script> Most of the gain", "example-large-3"]
            {
                assert!(page.contains(words), "{words} is not in {kind} on a {device}:\n{page}");
            }
            let parts = browser.client.execute(PARTS, Vec::new()).await.unwrap();
            assert!(parts.as_array().unwrap().iter().any(|part| part == "Recommendations"), "{parts}");
            if keeps_all_pictures() {
                browser.keep_whole_picture(&format!("report-{kind}-{device}")).await;
            }
            for (medium, scheme) in [("screen", "light"), ("screen", "dark"), ("print", "light"), ("print", "dark")] {
                let place = format!("{kind} on a {device} in {medium}, {scheme}");
                browser.look_at_it(medium, scheme).await;
                let pale = browser.client.execute(PALE, Vec::new()).await.unwrap();
                assert_eq!(pale, json!([]), "{place}");
                assert!(!browser.overflows().await, "{place} is too wide");
                let look = browser.client.execute(LOOK, Vec::new()).await.unwrap();
                assert_eq!(look[0], (medium, scheme) == ("screen", "dark"), "{place}: paper is white");
                // What is folded on a screen cannot be unfolded on paper.
                assert!(look[2] == true || *kind == "optimization", "{place}: no numbers");
                assert!(medium == "screen" || look[1] == true, "{place}: numbers are folded away");
                if keeps_all_pictures() {
                    browser.keep_whole_picture(&format!("report-{kind}-{device}-{medium}-{scheme}")).await;
                }
            }
            browser.look_at_it("screen", "light").await;
        }
        browser.close().await;
    }
}

/// The picture in the README is one of these pages as it is: `docs/report.png` is a copy of what this leaves behind.
#[tokio::test]
async fn the_picture_of_a_report_is_of_a_report() {
    let (world, token, bot) = with_trades("main").await;
    let name = "EMA cross on four pairs";
    let owner = world.database.owner().await;
    owner.run(&format!("update public.bots set name = '{name}' where id = '{bot}'")).await.unwrap();
    let id = analysis(&world, &token, json!({ "analysis_type": "performance", "bot_id": bot })).await;
    let browser = Browser::open(1000, 1850).await;
    browser.go_to(&world.url(&format!("/_local/reports/{id}?email=enterprise@nofomo.test"))).await;
    let page = browser.text().await;
    for words in [name, "No edge is shown: it earned 165.86 USDT", "Trade cheaper: fees take 70.6 %", "Balance"] {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
    browser.keep_picture("report").await;
    browser.close().await;
}

#[tokio::test]
async fn only_its_owner_sees_it() {
    let world = World::new().await;
    let owner = world.sign_in("enterprise@nofomo.test").await;
    let id = analysis(&world, &owner, json!({ "analysis_type": "performance" })).await;
    let report = format!("/analyses/{id}/report");
    let answer = world.get(&report, &owner).await;
    assert_eq!((answer.status.as_u16(), answer.headers["content-type"].as_str()), (200, "text/html; charset=utf-8"));
    assert!(answer.text.contains("<title>Performance of all your trades"), "{}", answer.text);

    let stranger = world.sign_in("pro@nofomo.test").await;
    for path in [report.as_str(), "/analyses/0190e000-0000-7000-8000-00000000ffff/report", "/analyses/none/report"] {
        let answer = world.get(path, &stranger).await;
        assert_eq!((answer.status.as_u16(), answer.problem().as_str()), (404, "not-found"), "{path}");
    }
    assert_eq!(world.send(reqwest::Method::GET, &report, &[], "").await.status, 401);
}

#[tokio::test]
async fn the_samples_of_a_laptop_are_made_once_when_they_are_looked_at() {
    let world = World::new().await;
    let made = "select analysis_type from public.ai_analyses where model_used = 'nofomo-quant-1' order by 1";
    let owner = world.database.owner().await;
    let before = owner.list(made).await;
    for sample in dev::reports::samples(&world.url("")).chain(dev::reports::samples(&world.url(""))) {
        let answer = reqwest::get(&sample.url).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", sample.url);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(answer.text().await.unwrap().to_lowercase().contains(&format!("<h1>{} of", sample.analysis_type)));
    }
    assert_eq!(owner.list(made).await.len(), before.len() + 3);
    let answer = reqwest::get(world.url("/_local/samples/nothing")).await.unwrap();
    assert_eq!(answer.status(), 404);
}
