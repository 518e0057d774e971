//! `cargo dev bench`: no function is left out, and each is asked something that works.

use dev::bench::cold::{Size, measure};
use dev::template::Template;

use crate::support::database::workspace;
use crate::support::world::{World, functions};

#[tokio::test]
async fn every_function_is_started_asked_and_measured() {
    let world = World::new().await;
    let template = Template::load(workspace()).unwrap();
    let admin_url = world.database.url("supabase_admin");
    let size = Size { starts: 2, requests: 3 };
    let measured = measure(&world.stack, &template, functions().await, workspace(), &admin_url, size, |_| ()).await;
    let report = measured.unwrap();
    let mut named: Vec<_> = template.functions.iter().map(|function| &function.name).collect();
    named.sort();
    assert_eq!(report.functions.iter().map(|figures| &figures.function).collect::<Vec<_>>(), named);
    for figures in &report.functions {
        assert!(figures.best_next_ms > 0.0 && figures.best_next_ms <= figures.next_ms, "{figures:?}");
        assert!(figures.next_ms < figures.answer_ms, "{figures:?}");
        assert!(figures.memory_mib > 1.0 && figures.memory_mib <= figures.peak_mib, "{figures:?}");
    }
    let functions = report.functions.len();
    let table = report.to_string();
    assert_eq!(table.lines().filter(|line| line.starts_with("| ")).count(), functions + 1, "{table}");
}
