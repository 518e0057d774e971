//! The names that the checks know.

/// Words, with spaces between them.
pub(crate) struct NameSet(&'static str);

impl NameSet {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &'static str> + use<> {
        self.0.split_ascii_whitespace()
    }

    pub(crate) fn contains(&self, word: &str) -> bool {
        self.iter().any(|known| known == word)
    }
}

/// Modules that strategies need.
pub(crate) const ALLOWED_MODULES: NameSet = NameSet(
    "__future__ abc collections collections.abc dataclasses datetime decimal enum freqtrade freqtrade.exchange \
     freqtrade.persistence freqtrade.persistence.trade_model freqtrade.strategy freqtrade.strategy.interface \
     freqtrade.strategy.parameters freqtrade.vendor freqtrade.vendor.qtpylib freqtrade.vendor.qtpylib.indicators \
     functools itertools logging math numpy numpy.typing pandas pandas.api.types statistics talib talib.abstract technical technical.candles technical.indicators technical.qtpylib technical.vendor.qtpylib.indicators \
     typing typing_extensions",
);

/// Modules that reach outside or make code of text, wherever they are found: also as a name in another module.
pub(crate) const DANGEROUS_MODULES: NameSet = NameSet(
    "_thread aiohttp ast asyncio atexit base64 bltns builtins cffi code codecs codeop concurrent copyreg ctypes ctypeslib \
     dill distutils fcntl ftplib gc glob http httpx imaplib imp importlib inspect io joblib marshal mmap multiprocessing \
     numexpr operator os pathlib pickle pkgutil platform pty requests resource runpy shelve shutil signal site smtplib \
     socket sqlite3 ssl subprocess sys tempfile threading traceback types urllib webbrowser zipimport",
);

/// Built-in names by which text becomes code, or one name another.
pub(crate) const DYNAMIC_CODE_BUILTINS: NameSet = NameSet(
    "__build_class__ __builtins__ __import__ __loader__ __spec__ compile delattr dir eval exec globals locals setattr \
     vars",
);

pub(crate) const OUTSIDE_ACCESS_BUILTINS: NameSet =
    NameSet("KeyboardInterrupt SystemExit breakpoint copyright credits exit help input open quit");

/// What pandas, numpy and logging read, write and load, whatever it is called on.
pub(crate) const IO_NAMES: NameSet = NameSet(
    "DataSource ExcelFile ExcelWriter FileHandler HDFStore RotatingFileHandler SocketHandler SysLogHandler basicConfig \
     clipboard dictConfig dump dumps fileConfig fromfile fromregex genfromtxt handlers load load_library loads loadtxt \
     makePickleableFile memmap open_memmap read_clipboard save savetxt savez savez_compressed to_clipboard to_csv \
     to_excel to_feather to_gbq to_hdf to_html to_json to_latex to_markdown to_orc to_parquet to_pickle to_sql to_stata \
     to_string to_xml tofile",
);

/// What pandas makes of data that stays inside.
pub(crate) const IN_MEMORY_CONVERSIONS: NameSet = NameSet(
    "to_datetime to_dict to_frame to_julian_date to_list to_numeric to_numpy to_period to_pydatetime to_records to_series \
     to_timedelta to_timestamp",
);

/// What makes code or names of text, or leads to the frames that code runs in, whatever it is called on.
pub(crate) const DYNAMIC_CODE_NAMES: NameSet = NameSet(
    "ForwardRef ag_frame cr_frame eval evaluate_forward_ref exec f2py f_back f_builtins f_code f_globals f_locals \
     format_map func_globals get_annotations get_type_hints gi_code gi_frame make_dataclass mro option_context options \
     set_option tb_frame tb_next update_wrapper vformat",
);

/// Of freqtrade's configuration, which has the exchange's keys too.
pub(crate) const ALLOWED_SETTINGS: NameSet = NameSet(
    "available_capital candle_type_def dry_run dry_run_wallet max_open_trades runmode stake_amount stake_currency \
     startup_candle_count timeframe tradable_balance_ratio trading_mode",
);

/// Methods that call what a text names.
pub(crate) const CALL_BY_NAME_METHODS: NameSet = NameSet("agg aggregate apply pipe transform");

/// Methods that Python calls by itself, and a strategy may have.
pub(crate) const ALLOWED_SPECIAL_METHODS: NameSet =
    NameSet("__call__ __eq__ __hash__ __init__ __len__ __post_init__ __repr__ __str__");

/// Names with two underscores that tell nothing.
pub(crate) const ALLOWED_DUNDERS: NameSet = NameSet("__all__ __doc__ __init__ __name__ __post_init__ __version__");

pub(crate) const ALLOWED_DECORATORS: NameSet = NameSet(
    "abstractmethod cache cached_property classmethod dataclass informative lru_cache override property staticmethod \
     total_ordering wraps",
);

/// Called by freqtrade candle by candle or trade by trade, with what is known then.
pub(crate) const CALLBACKS: NameSet = NameSet(
    "adjust_entry_price adjust_exit_price adjust_order_price adjust_trade_position bot_loop_start bot_start \
     check_buy_timeout check_entry_timeout check_exit_timeout check_sell_timeout confirm_trade_entry confirm_trade_exit \
     custom_entry_price custom_exit custom_exit_price custom_roi custom_sell custom_stake_amount custom_stoploss \
     informative_pairs leverage order_filled protections",
);

/// One value of a whole column, later candles among them.
pub(crate) const COLUMN_AGGREGATES: NameSet = NameSet(
    "all amax amin any argmax argmin autocorr average corr count count_nonzero cov describe idxmax idxmin kurt kurtosis \
     max mean median min mode nanargmax nanargmin nanmax nanmean nanmedian nanmin nanpercentile nanprod nanquantile nanstd \
     nansum nanvar nlargest nsmallest nunique percentile prod product ptp quantile rank sem skew std sum var",
);

/// What leaves each value beside its candle and looks at none that comes later, whatever is given along. All else that is asked
/// of candles is a doubt.
pub(crate) const CAUSAL_NAMES: NameSet = NameSet(
    "abs add assign astype at between ceil clip close columns contains copy cummax cummin cumprod cumsum date \
     day day_of_week dayofweek days div divide dt dtype dtypes empty endswith eq ewm expanding ffill fillna floor floordiv \
     ge get groupby gt high hour iat iloc index isin isna isnull items itemsize keys le loc low lower lt mask minute mod \
     month mul multiply name ndim ne normalize notna notnull open pow quarter radd rdiv rename replace rmod rmul rolling \
     round rpow rsub rtruediv second seconds set_index shape split startswith str strftime strip sub subtract time \
     to_frame to_period total_seconds truediv tz_convert tz_localize upper value volume weekday where year",
);

/// By which the candles of another pair or timeframe come.
pub(crate) const CANDLE_SOURCES: NameSet = NameSet("get_pair_dataframe historic_ohlcv ohlcv");

/// By which they come beside those of a pair.
pub(crate) const MERGE_FUNCTION: &str = "merge_informative_pair";

/// Modules that compute column by column, each value of what was there; what else they have is judged by its name.
pub(crate) const VECTORISED_MODULES: NameSet = NameSet("freqtrade numpy pandas talib technical");

/// Of Python's mathematics, what adds up all that it is given.
pub(crate) const MATH_AGGREGATES: NameSet = NameSet("dist fsum prod sumprod");

/// Built-in functions that take nothing apart.
pub(crate) const CAUSAL_BUILTINS: NameSet =
    NameSet("abs bool float getattr hasattr int isinstance len print range repr round str super type");

/// Built-in functions that know all that they are given, or take it apart.
pub(crate) const ITERATING_BUILTINS: NameSet =
    NameSet("all any enumerate filter iter map max min next reversed slice sorted sum zip");

/// What a logger is told.
pub(crate) const LOG_METHODS: NameSet = NameSet("critical debug error exception info warning");

/// What may come between a column and one value of it: then it is a value of what was there.
pub(crate) const WINDOW_METHODS: NameSet = NameSet("ewm expanding rolling");

/// By which a value comes to stand beside another candle.
pub(crate) const REORDERING_NAMES: NameSet = NameSet(
    "align argsort asfreq concat concatenate convolve correlate ediff1d fft flip flipud gradient interp join merge nditer \
     polyfit reindex resample reset_index set_axis sort sort_index sort_values take truncate",
);

/// By which values leave the candles that they belong to.
pub(crate) const DETACHING_NAMES: NameSet = NameSet(
    "array asarray flatten iterrows itertuples ravel swapaxes to_dict to_list to_numpy to_records tolist values",
);

pub(crate) const DETACHING_BUILTINS: NameSet =
    NameSet("dict enumerate filter iter list map next reversed set sorted tuple zip");

/// Which of them look forward is a matter of their arguments.
pub(crate) const SHIFT_METHODS: NameSet = NameSet("diff pct_change shift");

/// What is of now, whichever candle is looked at.
pub(crate) const LIVE_DATA_NAMES: NameSet = NameSet("funding_rate get_producer_df market orderbook ticker");

/// Of modules that also have what is not harmless: what is.
pub(crate) const ALLOWED_MODULE_NAMES: [(&str, NameSet); 11] = [
    ("freqtrade", NameSet("strategy vendor")),
    (
        "freqtrade.exchange",
        NameSet(
            "date_minus_candles timeframe_to_minutes timeframe_to_msecs timeframe_to_next_date \
            timeframe_to_prev_date timeframe_to_seconds",
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
            "abs absolute add amax amin append arccos arcsin arctan arctan2 argmax argmin argsort array asarray average \
            bool_ ceil clip concatenate convolve cos cosh count_nonzero cumprod cumsum datetime64 degrees delete \
            diff divide double e ediff1d equal errstate exp expm1 fabs fft flip flipud float32 float64 float_ floor fmax \
            fmin full full_like gradient greater greater_equal hypot inf insert int16 int32 int64 int8 int_ integer interp \
            isclose isfinite isin isinf isnan less less_equal log log10 log1p log2 logical_and logical_not logical_or \
            logical_xor max maximum mean median min minimum mod multiply nan nan_to_num nanargmax nanargmin nanmax nanmean \
            nanmedian nanmin nanpercentile nanprod nanquantile nanstd nansum nanvar ndarray nditer negative number ones \
            ones_like percentile pi polyfit power prod ptp quantile radians ravel rint roll round select sign sin sinh \
            sort sqrt square std subtract sum take tan tanh timedelta64 trunc typing uint8 var where zeros zeros_like",
        ),
    ),
    (
        "pandas",
        NameSet(
            "DataFrame DatetimeIndex Index NA NaT Series Timedelta Timestamp concat isna isnull merge merge_asof notna \
            notnull to_datetime to_numeric to_timedelta",
        ),
    ),
];

/// What may lead further than can be seen here, and why.
pub(crate) const INTERNAL_NAMES: [(&str, &str); 24] = [
    ("addFilter", "it changes what others log"),
    ("addHandler", "it changes what others log"),
    ("commit", "it changes freqtrade's database"),
    ("compat", "it may lead to all of Python"),
    ("core", "it may lead to all of Python"),
    ("delete", "it changes freqtrade's database"),
    ("extensions", "it changes pandas for all code that uses it"),
    ("hist", "pandas loads a module to draw with"),
    ("lib", "it may lead to all of Python"),
    ("load_params_from_file", "it reads a file"),
    ("manager", "it changes what others log"),
    ("plot", "pandas loads a module to draw with"),
    ("plotting", "pandas loads a module to draw with"),
    ("query", "a text that is a condition is not read here; write it as code"),
    ("removeHandler", "it changes what others log"),
    ("rollback", "it changes freqtrade's database"),
    ("session", "it leads to freqtrade's database"),
    ("style", "it writes pages and sheets"),
    ("test", "it runs the tests of a module"),
    ("testing", "it may lead to all of Python"),
    ("update_trade", "it changes freqtrade's database"),
    ("util", "it may lead to all of Python"),
    ("utils", "it may lead to all of Python"),
    ("warnings", "it may lead to all of Python"),
];

/// What looks forward, whatever it is called on.
pub(crate) const FORWARD_LOOKING_NAMES: [(&str, &str); 11] = [
    ("BaseIndexer", "a window of its own making may have later candles in it"),
    ("FixedForwardWindowIndexer", "its window has later candles in it"),
    ("VariableOffsetWindowIndexer", "a window of its own making may have later candles in it"),
    ("backfill", "it fills a gap with what came later"),
    ("bfill", "it fills a gap with what came later"),
    ("get_analyzed_dataframe", "in a backtest the analysed candles of a pair are all of them"),
    ("interpolate", "it fills a gap with what came later"),
    ("last", "the last candles are there whichever is looked at"),
    ("last_valid_index", "the last candles are there whichever is looked at"),
    ("roll", "it brings the last candles before the first"),
    ("tail", "the last candles are there whichever is looked at"),
];
