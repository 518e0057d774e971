//! `GET /analyses/{analysis_id}/report`, in a real browser.

use serde_json::{Value, json};

use crate::support::analyses::{insert_similar_backtest, run_analysis, world_with_trades};
use crate::support::browser::Browser;
use crate::support::database::saves_all_screenshots;
use crate::support::world::World;

/// Script: headings of the page's sections.
const HEADINGS: &str = "return [...document.querySelectorAll('h2')].map(heading => heading.innerText)";

/// Script: visible texts with a contrast below WCAG's 4.5 to 1.
const LOW_CONTRAST_TEXTS: &str = "
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

/// Script: three booleans: the page is dark; all tables of numbers are visible; there is such a table.
const APPEARANCE: &str = "
    const page = getComputedStyle(document.body).backgroundColor.match(/[\\d.]+/g).map(Number);
    const seen = table => table.checkVisibility() && table.getClientRects().length > 0
        && table.getBoundingClientRect().height > 0;
    return [page[0] < 60 && page[3] !== 0, [...document.querySelectorAll('details table')].every(seen),
        document.querySelectorAll('details table').length > 0]";

/// Id of an analysis, which is that of its report.
fn report_id(analysis: &Value) -> String {
    analysis["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn every_report_is_readable_on_phone_and_desktop_and_loads_no_other_resource() {
    let (world, token, bot) = world_with_trades("main").await;
    insert_similar_backtest(&world, &bot).await;
    let owner = world.database.owner().await;
    // Text by a user or a model is shown as text, never interpreted.
    let hostile = "<img src=http://127.0.0.1:9/name onerror=alert(1)>Averylongnamewithoutanyspaceinitatall";
    owner.run(&format!("update public.bots set name = '{hostile}' where id = '{bot}'")).await.unwrap();
    let mut reports = Vec::new();
    for kind in ["performance", "risk", "optimization", "backtest"] {
        let id = report_id(&run_analysis(&world, &token, json!({ "analysis_type": kind, "bot_id": bot })).await);
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
    for (width, height, device) in [(390, 844, "phone"), (1280, 900, "desktop")] {
        let browser = Browser::open(width, height).await;
        for (kind, url) in &reports {
            browser.go_to(url).await;
            assert!(!browser.overflows().await, "{kind} is wider than a {device}");
            assert_eq!(browser.requests().await, [url.as_str()], "{kind} on a {device}");
            assert_eq!(browser.console_messages().await, Vec::<String>::new(), "{kind} on a {device}");
            let page = browser.text().await;
            for words in
                [hostile, "0.17", "<script src=http://127.0.0.1:9/text></script> Most of the gain", "example-large-3"]
            {
                assert!(page.contains(words), "{words} is not in {kind} on a {device}:\n{page}");
            }
            let headings = browser.client.execute(HEADINGS, Vec::new()).await.unwrap();
            assert!(headings.as_array().unwrap().iter().any(|heading| heading == "Recommendations"), "{headings}");
            if saves_all_screenshots() {
                browser.save_full_page_screenshot(&format!("report-{kind}-{device}")).await;
            }
            for (medium, scheme) in [("screen", "light"), ("screen", "dark"), ("print", "light"), ("print", "dark")] {
                let place = format!("{kind} on a {device} in {medium}, {scheme}");
                browser.emulate_media(medium, scheme).await;
                let low_contrast = browser.client.execute(LOW_CONTRAST_TEXTS, Vec::new()).await.unwrap();
                assert_eq!(low_contrast, json!([]), "{place}");
                assert!(!browser.overflows().await, "{place} is too wide");
                let appearance = browser.client.execute(APPEARANCE, Vec::new()).await.unwrap();
                assert_eq!(
                    appearance[0],
                    (medium, scheme) == ("screen", "dark"),
                    "{place}: a dark page only on screen in the dark scheme"
                );
                // Collapsed on screen, expanded in print.
                assert!(appearance[2] == true || *kind == "optimization", "{place}: no numbers");
                assert!(medium == "screen" || appearance[1] == true, "{place}: the tables of numbers are collapsed");
                if saves_all_screenshots() {
                    browser.save_full_page_screenshot(&format!("report-{kind}-{device}-{medium}-{scheme}")).await;
                }
            }
            browser.emulate_media("screen", "light").await;
        }
        browser.close().await;
    }
}

/// Saves the screenshot of which `docs/report.png` is a copy.
#[tokio::test]
async fn the_report_shown_in_the_documentation_can_be_reproduced() {
    let (world, token, bot) = world_with_trades("main").await;
    let name = "EMA cross on four pairs";
    let owner = world.database.owner().await;
    owner.run(&format!("update public.bots set name = '{name}' where id = '{bot}'")).await.unwrap();
    let id = report_id(&run_analysis(&world, &token, json!({ "analysis_type": "performance", "bot_id": bot })).await);
    let browser = Browser::open(1000, 1850).await;
    browser.go_to(&world.url(&format!("/_local/reports/{id}?email=enterprise@nofomo.test"))).await;
    let page = browser.text().await;
    for words in
        [name, "No edge shown: the bot earned 165.86 USDT", "Reduce trading costs: fees take 70.6 %", "Balance"]
    {
        assert!(page.contains(words), "{words} is not in\n{page}");
    }
    browser.save_screenshot("report").await;
    browser.close().await;
}

#[tokio::test]
async fn a_report_is_visible_only_to_its_owner() {
    let world = World::new().await;
    let owner = world.sign_in("enterprise@nofomo.test").await;
    let id = report_id(&run_analysis(&world, &owner, json!({ "analysis_type": "performance" })).await);
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
async fn sample_reports_of_cargo_dev_are_created_once_on_first_view() {
    let world = World::new().await;
    let analysis_types = "select analysis_type from public.ai_analyses where model_used = 'nofomo-quant-1' order by 1";
    let owner = world.database.owner().await;
    let before = owner.list(analysis_types).await;
    for sample in dev::reports::sample_reports(&world.url("")).chain(dev::reports::sample_reports(&world.url(""))) {
        let answer = reqwest::get(&sample.url).await.unwrap();
        assert_eq!(answer.status(), 200, "{}", sample.url);
        assert_eq!(answer.headers()["content-type"], "text/html; charset=utf-8");
        assert!(answer.text().await.unwrap().to_lowercase().contains(&format!("<h1>{} of", sample.analysis_type)));
    }
    assert_eq!(owner.list(analysis_types).await.len(), before.len() + 3);
    let answer = reqwest::get(world.url("/_local/samples/nothing")).await.unwrap();
    assert_eq!(answer.status(), 404);
}
