//! Names that the checks know, grouped by their effect on a verdict.

/// Set of names, separated by spaces.
pub(crate) struct NameSet(&'static str);

impl NameSet {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.0.split_ascii_whitespace()
    }

    pub(crate) fn contains(&self, name: &str) -> bool {
        self.iter().any(|known| known == name)
    }
}

/// Modules that a strategy may import.
pub(crate) const ALLOWED_MODULES: NameSet = NameSet(
    "__future__ abc collections collections.abc dataclasses datetime decimal enum freqtrade freqtrade.exchange \
     freqtrade.persistence freqtrade.persistence.trade_model freqtrade.strategy freqtrade.strategy.interface \
     freqtrade.strategy.parameters freqtrade.vendor freqtrade.vendor.qtpylib freqtrade.vendor.qtpylib.indicators \
     functools itertools logging math numpy numpy.typing pandas pandas.api.types statistics talib talib.abstract \
     technical technical.candles technical.indicators technical.qtpylib technical.vendor.qtpylib.indicators typing \
     typing_extensions",
);

/// Modules that give access to anything outside the strategy or run code from strings. Refused as imports and as names
/// within other modules.
pub(crate) const DANGEROUS_MODULES: NameSet = NameSet(
    "_thread aiohttp ast asyncio atexit base64 bltns builtins cffi code codecs codeop concurrent copyreg ctypes \
     ctypeslib dill distutils fcntl ftplib gc glob http httpx imaplib imp importlib inspect io joblib marshal mmap \
     multiprocessing numexpr operator os pathlib pickle pkgutil platform pty requests resource runpy shelve shutil \
     signal site smtplib socket sqlite3 ssl subprocess sys tempfile threading traceback types urllib webbrowser \
     zipimport",
);

/// Built-in functions that run code from strings, or that look up names at run time.
pub(crate) const DYNAMIC_CODE_BUILTINS: NameSet = NameSet(
    "__build_class__ __builtins__ __import__ __loader__ __spec__ compile delattr dir eval exec globals locals setattr \
     vars",
);

/// Built-in names that give access to anything outside the strategy.
pub(crate) const OUTSIDE_ACCESS_BUILTINS: NameSet =
    NameSet("KeyboardInterrupt SystemExit breakpoint copyright credits exit help input open quit");

/// Names of pandas, numpy and logging that read, write or load external data, on any receiver.
pub(crate) const IO_NAMES: NameSet = NameSet(
    "DataSource ExcelFile ExcelWriter FileHandler HDFStore RotatingFileHandler SocketHandler SysLogHandler \
     basicConfig clipboard dictConfig dump dumps fileConfig fromfile fromregex genfromtxt handlers load load_library \
     loads loadtxt makePickleableFile memmap open_memmap read_clipboard save savetxt savez savez_compressed \
     to_clipboard to_csv to_excel to_feather to_gbq to_hdf to_html to_json to_latex to_markdown to_orc to_parquet \
     to_pickle to_sql to_stata to_string to_xml tofile",
);

/// Conversions of pandas whose result stays in memory.
pub(crate) const IN_MEMORY_CONVERSIONS: NameSet = NameSet(
    "to_datetime to_dict to_frame to_julian_date to_list to_numeric to_numpy to_period to_pydatetime to_records \
     to_series to_timedelta to_timestamp",
);

/// Names that run code from strings, look up names at run time or expose stack frames, on any receiver.
pub(crate) const DYNAMIC_CODE_NAMES: NameSet = NameSet(
    "ForwardRef ag_frame cr_frame eval evaluate_forward_ref exec f2py f_back f_builtins f_code f_globals f_locals \
     format_map func_globals get_annotations get_type_hints gi_code gi_frame make_dataclass mro option_context \
     options set_option tb_frame tb_next update_wrapper vformat",
);

/// Settings of freqtrade's configuration that a strategy may read. The configuration also holds the exchange's API
/// keys.
pub(crate) const ALLOWED_SETTINGS: NameSet = NameSet(
    "available_capital candle_type_def dry_run dry_run_wallet max_open_trades runmode stake_amount stake_currency \
     startup_candle_count timeframe tradable_balance_ratio trading_mode",
);

/// Methods of pandas that call a function, which may be given by its name.
pub(crate) const CALL_BY_NAME_METHODS: NameSet = NameSet("agg aggregate apply pipe transform");

/// Special methods that a class of a strategy may define; Python calls them implicitly.
pub(crate) const ALLOWED_SPECIAL_METHODS: NameSet =
    NameSet("__call__ __eq__ __hash__ __init__ __len__ __post_init__ __repr__ __str__");

/// Names with double underscores that expose nothing.
pub(crate) const ALLOWED_DUNDERS: NameSet = NameSet("__all__ __doc__ __init__ __name__ __post_init__ __version__");

/// Decorators whose effect on a function or class is known.
pub(crate) const ALLOWED_DECORATORS: NameSet = NameSet(
    "abstractmethod cache cached_property classmethod dataclass informative lru_cache override property staticmethod \
     total_ordering wraps",
);

/// Methods that freqtrade calls candle by candle or trade by trade, with the data known at that time.
pub(crate) const CALLBACKS: NameSet = NameSet(
    "adjust_entry_price adjust_exit_price adjust_order_price adjust_trade_position bot_loop_start bot_start \
     check_buy_timeout check_entry_timeout check_exit_timeout check_sell_timeout confirm_trade_entry \
     confirm_trade_exit custom_entry_price custom_exit custom_exit_price custom_roi custom_sell custom_stake_amount \
     custom_stoploss informative_pairs leverage order_filled protections",
);

/// Functions that compute one value from a whole column, later candles included.
pub(crate) const COLUMN_AGGREGATES: NameSet = NameSet(
    "all amax amin any argmax argmin autocorr average corr count count_nonzero cov describe idxmax idxmin kurt \
     kurtosis max mean median min mode nanargmax nanargmin nanmax nanmean nanmedian nanmin nanpercentile nanprod \
     nanquantile nanstd nansum nanvar nlargest nsmallest nunique percentile prod product ptp quantile rank sem skew \
     std sum var",
);

/// Causal names: each value stays on its candle and depends on no later one, with any arguments. Any other name used on
/// candles is unproved.
pub(crate) const CAUSAL_NAMES: NameSet = NameSet(
    "abs add assign astype at between ceil clip close columns contains copy cummax cummin cumprod cumsum date day \
     day_of_week dayofweek days div divide dt dtype dtypes empty endswith eq ewm expanding ffill fillna floor \
     floordiv ge get groupby gt high hour iat iloc index isin isna isnull items itemsize keys le loc low lower lt \
     mask minute mod month mul multiply name ndim ne normalize notna notnull open pow quarter radd rdiv rename \
     replace rmod rmul rolling round rpow rsub rtruediv second seconds set_index shape split startswith str strftime \
     strip sub subtract time to_frame to_period total_seconds truediv tz_convert tz_localize upper value volume \
     weekday where year",
);

/// Methods that fetch candles of another pair or timeframe.
pub(crate) const CANDLE_SOURCES: NameSet = NameSet("get_pair_dataframe historic_ohlcv ohlcv");

/// Function that joins candles of another pair or timeframe to those of the strategy.
pub(crate) const MERGE_FUNCTION: &str = "merge_informative_pair";

/// Modules whose functions are causal on columns: each value depends on no later candle. The exceptions are in the sets
/// below.
pub(crate) const VECTORISED_MODULES: NameSet = NameSet("freqtrade numpy pandas talib technical");

/// Functions of `math` that aggregate all values they receive.
pub(crate) const MATH_AGGREGATES: NameSet = NameSet("dist fsum prod sumprod");

/// Built-in functions that do not iterate over a column.
pub(crate) const CAUSAL_BUILTINS: NameSet =
    NameSet("abs bool float getattr hasattr int isinstance len print range repr round str super type");

/// Built-in functions that iterate over all values they receive.
pub(crate) const ITERATING_BUILTINS: NameSet =
    NameSet("all any enumerate filter iter map max min next reversed slice sorted sum zip");

/// Methods of a logger.
pub(crate) const LOG_METHODS: NameSet = NameSet("critical debug error exception info warning");

/// Methods that group a column into windows, so that an aggregate covers past candles only.
pub(crate) const WINDOW_METHODS: NameSet = NameSet("ewm expanding rolling");

/// Names that can move a value to another candle.
pub(crate) const REORDERING_NAMES: NameSet = NameSet(
    "align argsort asfreq concat concatenate convolve correlate ediff1d fft flip flipud gradient interp join merge \
     nditer polyfit reindex resample reset_index set_axis sort sort_index sort_values take truncate",
);

/// Names that detach values from their candles.
pub(crate) const DETACHING_NAMES: NameSet = NameSet(
    "array asarray flatten iterrows itertuples ravel swapaxes to_dict to_list to_numpy to_records tolist values",
);

/// Built-in functions that detach values from their candles.
pub(crate) const DETACHING_BUILTINS: NameSet =
    NameSet("dict enumerate filter iter list map next reversed set sorted tuple zip");

/// Methods that look forward or back depending on their arguments.
pub(crate) const SHIFT_METHODS: NameSet = NameSet("diff pct_change shift");

/// Names that return current data, whichever candle is computed.
pub(crate) const LIVE_DATA_NAMES: NameSet = NameSet("funding_rate get_producer_df market orderbook ticker");

/// Allowed names of modules that also have harmful ones.
pub(crate) const ALLOWED_MODULE_NAMES: [(&str, NameSet); 11] = [
    ("freqtrade", NameSet("strategy vendor")),
    (
        "freqtrade.exchange",
        NameSet(
            "date_minus_candles timeframe_to_minutes timeframe_to_msecs timeframe_to_next_date timeframe_to_prev_date \
             timeframe_to_seconds",
        ),
    ),
    ("freqtrade.persistence", NameSet("LocalTrade Order PairLocks Trade")),
    ("freqtrade.persistence.trade_model", NameSet("LocalTrade Order Trade")),
    (
        "freqtrade.strategy",
        NameSet(
            "AnnotationType BooleanParameter CategoricalParameter DecimalParameter IStrategy IntParameter Order \
             PairLocks RealParameter Trade informative merge_informative_pair stoploss_from_absolute \
             stoploss_from_open timeframe_to_minutes timeframe_to_next_date timeframe_to_prev_date",
        ),
    ),
    ("freqtrade.strategy.interface", NameSet("IStrategy")),
    (
        "freqtrade.strategy.parameters",
        NameSet("BooleanParameter CategoricalParameter DecimalParameter IntParameter RealParameter"),
    ),
    ("functools", NameSet("cache cached_property lru_cache partial reduce total_ordering wraps")),
    (
        "logging",
        NameSet(
            "CRITICAL DEBUG ERROR INFO Logger LoggerAdapter WARNING critical debug error exception getLogger info \
             warning",
        ),
    ),
    (
        "numpy",
        NameSet(
            "abs absolute add amax amin append arccos arcsin arctan arctan2 argmax argmin argsort array asarray \
             average bool_ ceil clip concatenate convolve cos cosh count_nonzero cumprod cumsum datetime64 degrees \
             delete diff divide double e ediff1d equal errstate exp expm1 fabs fft flip flipud float32 float64 float_ \
             floor fmax fmin full full_like gradient greater greater_equal hypot inf insert int16 int32 int64 int8 \
             int_ integer interp isclose isfinite isin isinf isnan less less_equal log log10 log1p log2 logical_and \
             logical_not logical_or logical_xor max maximum mean median min minimum mod multiply nan nan_to_num \
             nanargmax nanargmin nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum \
             nanvar ndarray nditer negative number ones ones_like percentile pi polyfit power prod ptp quantile \
             radians ravel rint roll round select sign sin sinh sort sqrt square std subtract sum take tan tanh \
             timedelta64 trunc typing uint8 var where zeros zeros_like",
        ),
    ),
    (
        "pandas",
        NameSet(
            "DataFrame DatetimeIndex Index NA NaT Series Timedelta Timestamp concat isna isnull merge merge_asof \
             notna notnull to_datetime to_numeric to_timedelta",
        ),
    ),
];

/// Names that may expose internals or change what other code uses, each with the rest of the finding's text.
pub(crate) const INTERNAL_NAMES: [(&str, &str); 24] = [
    ("addFilter", "changes what other code logs; remove it"),
    ("addHandler", "changes what other code logs; remove it"),
    ("commit", "changes freqtrade's database; remove it"),
    ("compat", "may expose other Python modules; use public functions"),
    ("core", "may expose other Python modules; use public functions"),
    ("delete", "changes freqtrade's database; remove it"),
    ("extensions", "changes pandas for all code that uses it; remove it"),
    ("hist", "loads a plotting module; remove it"),
    ("lib", "may expose other Python modules; use public functions"),
    ("load_params_from_file", "reads a file; remove it"),
    ("manager", "changes what other code logs; remove it"),
    ("plot", "loads a plotting module; remove it"),
    ("plotting", "loads a plotting module; remove it"),
    ("query", "evaluates a condition in a string, which is not checked; write the condition as code"),
    ("removeHandler", "changes what other code logs; remove it"),
    ("rollback", "changes freqtrade's database; remove it"),
    ("session", "exposes freqtrade's database; remove it"),
    ("style", "writes pages and spreadsheets; remove it"),
    ("test", "runs the tests of a module; remove it"),
    ("testing", "may expose other Python modules; use public functions"),
    ("update_trade", "changes freqtrade's database; remove it"),
    ("util", "may expose other Python modules; use public functions"),
    ("utils", "may expose other Python modules; use public functions"),
    ("warnings", "may expose other Python modules; use public functions"),
];

/// Names that use later candles on any receiver, each with the rest of the finding's text.
pub(crate) const FORWARD_LOOKING_NAMES: [(&str, &str); 11] = [
    ("BaseIndexer", "can define a window that contains later candles; use `rolling` with a number"),
    ("FixedForwardWindowIndexer", "defines a window of later candles; use `rolling` with a number"),
    ("VariableOffsetWindowIndexer", "can define a window that contains later candles; use `rolling` with a number"),
    ("backfill", "fills gaps with later values; use `ffill`"),
    ("bfill", "fills gaps with later values; use `ffill`"),
    (
        "get_analyzed_dataframe",
        "returns all candles of a pair in a backtest; use `get_pair_dataframe` and `merge_informative_pair`",
    ),
    ("interpolate", "fills gaps with later values; use `ffill`"),
    ("last", "selects the last candles, whichever candle is computed; use `shift` or a rolling window"),
    ("last_valid_index", "selects the last candles, whichever candle is computed; use `shift` or a rolling window"),
    ("roll", "moves the last candles before the first; use `shift`"),
    ("tail", "selects the last candles, whichever candle is computed; use `shift` or a rolling window"),
];
