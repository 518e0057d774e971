//! Wording of findings that several checks share.

use crate::known_names::MERGE_FUNCTION;

pub(super) const INDEX_CHANGED: &str =
    "a different index can move a value to another candle; keep the index of the dataframe";
pub(super) const CANDLES_STORED: &str =
    "candles stored for another call are not tracked; compute with them in the same method";
pub(super) const CANDLES_ITERATED: &str = "iteration detaches values from their candles; use column operations";

pub(super) fn misaligned(name: &str) -> String {
    format!("`{name}` can move a value to an earlier candle; compute each value on its own candle")
}

pub(super) fn aggregates_column(name: &str) -> String {
    format!("`{name}` of a whole column includes later candles; use a rolling window")
}

pub(super) fn detaches_values(name: &str) -> String {
    format!("`{name}` detaches values from their candles; keep them in a column")
}

pub(super) fn not_provably_causal(name: &str) -> String {
    match name {
        "append" => "`append` outside a list of conditions is not provably causal; build the mask with `&`".to_owned(),
        _ => format!("`{name}` is not provably causal; use pandas, numpy or talib, or define it in this source"),
    }
}

pub(super) fn joins_other_candles() -> String {
    format!("candles of another pair or timeframe must be joined with `{MERGE_FUNCTION}`")
}

pub(super) fn fills_with_unknown(name: &str) -> String {
    format!("`{name}` may fill gaps with later values; pass only a value to fill with")
}

pub(super) fn reads_ahead(name: &str, periods: i64) -> String {
    let candles = if periods == -1 { "candle" } else { "candles" };
    format!("`{name}({periods})` reads {} {candles} ahead; use a positive number", periods.unsigned_abs())
}
