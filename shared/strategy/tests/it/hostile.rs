//! Hostile strategies with their expected findings: `#~ rule verdict` at the end of a line is one finding of that line,
//! and there are no others. Many of them would pass a simpler check.

use std::collections::{BTreeMap, BTreeSet};

use nofomo_strategy::check;
use serde_json::to_value;

/// Code at the top level of the source.
const TOP_LEVEL: &[&str] = &[
    "import os  #~ import refused",
    "import os.path as path  #~ import refused",
    "from os import system  #~ import refused",
    "import subprocess, sys  #~ import refused, import refused",
    "import socket as np  #~ import refused, import unproved",
    "import requests  #~ import refused",
    "import urllib.request  #~ import refused",
    "from pathlib import Path  #~ import refused",
    "import pickle  #~ import refused",
    "import ctypes  #~ import refused",
    "import importlib  #~ import refused",
    "import builtins  #~ import refused",
    "import mybot  #~ import unproved",
    "import sklearn.ensemble  #~ import unproved",
    "import freqtrade.configuration  #~ import unproved",
    "from . import neighbour  #~ import unproved",
    "from numpy import *  #~ import unproved",
    "from datetime import sys  #~ outside_access refused",
    "from pandas import read_csv as ema  #~ outside_access refused",
    "from numpy import ctypeslib  #~ outside_access refused",
    "import numpy.f2py  #~ import unproved",
    "try:\n    import os  #~ import refused\nexcept ImportError:\n    pass",
    "if True:\n    from shutil import rmtree  #~ import refused",
    "eval('1')  #~ dynamic_code refused",
    "\u{ff45}\u{ff56}\u{ff41}\u{ff4c}('1')  #~ dynamic_code refused",
    "run = exec  #~ dynamic_code refused",
    "run = [print, eval][1]  #~ dynamic_code refused",
    "def helper(run=compile): return run  #~ dynamic_code refused",
    "module = __import__('os')  #~ dynamic_code refused",
    "module = __builtins__['eval']  #~ dynamic_code refused",
    "module = __loader__.load_module('os')  #~ dynamic_code refused",
    "module = globals()['__builtins__']  #~ dynamic_code refused, dynamic_code unproved",
    "hidden = getattr(pd, 'read_' + 'csv')  #~ dynamic_code unproved",
    "hidden = getattr(pd, 'read_csv')  #~ outside_access refused",
    "hidden = getattr(object, '__subclasses__')()  #~ dynamic_code refused, dynamic_code unproved",
    "ask = getattr  #~ dynamic_code unproved",
    "hidden = list(map(getattr, [pd], ['read_csv']))  #~ dynamic_code unproved, dynamic_code unproved",
    "classes = ().__class__.__base__.__subclasses__()  #~ dynamic_code refused, dynamic_code refused, dynamic_code refused",
    "frame = (lambda: 0).__code__  #~ dynamic_code refused",
    "whole = pd.DataFrame.__init__.__globals__  #~ dynamic_code refused, look_ahead unproved",
    "text = '{0.__class__.__init__.__globals__}'.format(pd)  #~ dynamic_code unproved, dynamic_code unproved",
    "text = mask.format(pd)  #~ dynamic_code unproved, dynamic_code unproved",
    "text = '{x}'.format_map({'x': 1})  #~ dynamic_code refused",
    "Made = type('Made', (), {})  #~ dynamic_code refused",
    "class Made(metaclass=Meta): pass  #~ dynamic_code unproved",
    "class Made:\n    def __getattr__(self, name): return name  #~ dynamic_code unproved",
    "class Made:\n    def __reduce__(self): return 1  #~ dynamic_code unproved",
    "class Made:\n    __class_getitem__ = eval  #~ dynamic_code refused, dynamic_code refused",
    "@eval  #~ dynamic_code refused, dynamic_code unproved\ndef helper(): pass",
    "@pd.api.extensions.register_dataframe_accessor('x')  #~ dynamic_code unproved, import unproved, outside_access unproved\nclass Accessor: pass",
    "match pd:  #~ dynamic_code unproved\n    case pd.DataFrame(__class__=kind): pass  #~ dynamic_code refused",
    "match pd:  #~ dynamic_code unproved\n    case object(read_csv=read): read('x')  #~ outside_access refused",
    "logging.os.system('id')  #~ outside_access refused",
    "typing.sys.modules['os']  #~ outside_access refused",
    "pd.io.common.os  #~ outside_access refused, outside_access refused",
    "np.core.multiarray  #~ outside_access unproved",
    "np.load('x.npy', allow_pickle=True)  #~ outside_access refused",
    "np.ctypeslib.load_library('libc', '.')  #~ outside_access refused, outside_access refused",
    "np.memmap('/etc/passwd')  #~ outside_access refused",
    "pd.eval('1')  #~ dynamic_code refused",
    "logging.FileHandler('/tmp/x')  #~ outside_access refused",
    "logging.basicConfig(filename='/tmp/x')  #~ outside_access refused",
    "with open('/etc/passwd') as file: pass  #~ outside_access refused",
    "write = open  #~ outside_access refused",
    "def open(path): return path  #~ tampering unproved",
    "pd.DataFrame.shift = lambda self, n: self  #~ tampering refused",
    "IStrategy.version = None  #~ tampering refused",
    "setattr(pd, 'x', 1)  #~ dynamic_code refused, dynamic_code unproved",
    "del math.sqrt  #~ tampering refused",
    "math.pi += 1  #~ tampering refused",
    "for math.pi in (3, 4): pass  #~ tampering refused",
    "(math.pi, x) = (3, 4)  #~ tampering refused",
    "[math.pi for math.pi in (3, 4)]  #~ tampering refused",
    "with thing as math.pi: pass  #~ tampering refused",
    "vars(math)['pi'] = 3  #~ dynamic_code refused",
    "exit()  #~ outside_access refused",
    "breakpoint()  #~ outside_access refused",
    "async def wait(): await x  #~ outside_access unproved, outside_access unproved",
    "f'{eval(\"1\")}'  #~ dynamic_code refused",
    "f'{().__class__}'  #~ dynamic_code refused",
    "x: eval('1') = 1  #~ dynamic_code refused",
    "def helper(x: eval('1')): pass  #~ dynamic_code refused",
    "x = lambda: exec('1')  #~ dynamic_code refused",
    "logging.getLogger('x').handlers  #~ outside_access refused",
    "logging.config.listen(1)  #~ import unproved, outside_access unproved",
    "import logging.handlers  #~ import unproved",
    "enum.bltns.exec('1')  #~ outside_access refused, dynamic_code refused",
    "datetime.sys.exit()  #~ outside_access refused",
    "path.open('w')  #~ outside_access refused",
    "(x for x in ()).gi_frame.f_back.f_globals  #~ dynamic_code refused, dynamic_code refused, dynamic_code refused",
    "functools.update_wrapper(x, y, assigned=('__glo' + 'bals__',))  #~ dynamic_code refused",
    "np.array([1]).dump('/tmp/x')  #~ outside_access refused",
    "pd.set_option('plotting.backend', 'os')  #~ dynamic_code refused",
    "pd.Series([1]).plot(backend='os')  #~ outside_access unproved",
    "pd.Series([1]).to_netcdf('/tmp/x')  #~ outside_access unproved",
    "pd.Series([1]).apply('to_' + 'csv')  #~ dynamic_code unproved",
    "pd.Series([1]).agg(func=['mean', 'to_csv'])  #~ outside_access refused, look_ahead unproved",
    "from freqtrade.exchange import Exchange  #~ import unproved",
    "from freqtrade.persistence import init_db  #~ import unproved",
    "from freqtrade import exchange\nexchange.Exchange({})  #~ import unproved",
    "import freqtrade.exchange\nfreqtrade.exchange.Exchange({})  #~ import unproved",
    "from freqtrade.persistence import Trade\nTrade.session.execute('x')  #~ outside_access unproved",
    "class Other:\n    def keys(self): return self.config['exchange']['key']  #~ outside_access unproved",
    "class Other:\n    def keys(self): return self.config  #~ outside_access unproved",
    "class Other:\n    def __init__(self, config): self.key = config['exchange']  #~ outside_access unproved",
    "class Other:\n    def keys(self): return self.dp._exchange  #~ dynamic_code unproved",
    "functools.partial(eval, '1')()  #~ dynamic_code refused",
    // Indirect access to restricted names.
    "calm = np  #~ dynamic_code unproved\ncalm.seterrcall(print)",
    "np.seterrcall(print)  #~ import unproved",
    "np.frompyfunc(print, 1, 1)  #~ import unproved",
    "np.random.seed(1)  #~ import unproved",
    "from numpy import vectorize  #~ import unproved",
    "import math\nimport numpy as math  #~ import unproved",
    "from collections import _sys  #~ import unproved",
    "import talib.stream  #~ import unproved",
    "import codecs  #~ import refused",
    "from operator import attrgetter  #~ import refused",
    "raise SystemExit  #~ outside_access refused",
    "logging.getLogger().manager  #~ outside_access unproved",
    "class Other:\n    def keys(self): return getattr(self, 'config')  #~ outside_access unproved",
    "class Other:\n    def keys(self): return '{0.config}'.format(self)  #~ dynamic_code unproved",
    "class Other:\n    def keys(self): return '{0[exchange]}'.format(self.parameters)  #~ dynamic_code unproved",
    "class Other(Hidden):\n    def __init__(self, given): super().__init__(given)  #~ outside_access unproved",
    "class Other(Hidden):\n    def __init__(self, *given): super().__init__(*given)  #~ outside_access unproved, look_ahead unproved",
    "match IStrategy:\n    case object(config=found): pass  #~ outside_access unproved",
    "math = print  #~ tampering unproved",
    "def helper(math): pass  #~ tampering unproved",
    "def logging(): pass  #~ tampering unproved",
    "getattr(np, 'seterrcall')(print)  #~ import unproved",
    "functools.reduce(getattr, ['a', 'b'], pd)  #~ dynamic_code unproved, dynamic_code unproved",
];

/// Code in a populate method.
const IN_POPULATE_METHOD: &[&str] = &[
    "dataframe['x'] = dataframe['close'].shift(-1)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].shift(periods=-3)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].shift(-AHEAD)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].shift(BACK)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].shift(self.ahead)  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].shift(*[-1])  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].shift(**{'periods': -1})  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].diff(-1)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].pct_change(periods=-1)  #~ look_ahead refused",
    "dataframe['x'] = np.roll(dataframe['close'], -1)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].iloc[-1]  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].values[-1]  #~ look_ahead refused, look_ahead unproved",
    "dataframe['x'] = dataframe['close'].iat[-1]  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].iloc[i + 1]  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.iloc[-5:]['close']  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].tail(1)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'][::-1]  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'] / dataframe['close'].max()  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'] - dataframe['close'].mean()  #~ look_ahead refused",
    "dataframe['x'] = np.min(dataframe['close'])  #~ look_ahead refused",
    "dataframe['x'] = min(dataframe['close'])  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].agg('mean')  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].rolling(5, center=True).mean()  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].bfill()  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].fillna(method='bfill')  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].interpolate()  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].rank()  #~ look_ahead refused",
    "dataframe['x'] = dataframe.sort_values('date', ascending=False)['close']  #~ look_ahead unproved",
    "dataframe = dataframe.merge(daily, on='date')  #~ look_ahead unproved",
    "dataframe = pd.merge_asof(dataframe, daily, on='date', direction='forward')  #~ look_ahead refused",
    "dataframe['x'] = dataframe.resample('1h').last()  #~ look_ahead unproved, look_ahead refused",
    "other, _ = self.dp.get_analyzed_dataframe('BTC/USDT', '1h')  #~ look_ahead refused",
    "dataframe['x'] = self.dp.ticker(metadata['pair'])['last']  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.eval('close.shift(-1)')  #~ dynamic_code refused",
    "dataframe = dataframe.query('close > 1')  #~ outside_access unproved",
    "dataframe['close'].to_csv('/tmp/x')  #~ outside_access refused",
    "dataframe['close'].agg('to_csv')  #~ outside_access refused",
    "dataframe['x'] = dataframe['close'].pipe(pd.Series.shift, -1)  #~ look_ahead unproved",
    "future = pd.Series.shift  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].transform('shift', periods=-1)  #~ look_ahead unproved",
    "dataframe['x'] = getattr(dataframe['close'], 'shift')(-1)  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].to_numpy()[-1]  #~ look_ahead refused, look_ahead unproved",
    "dataframe['x'] = dataframe['close'].to_list()[-1]  #~ look_ahead refused, look_ahead unproved",
    "last = dataframe['close'].values  #~ look_ahead unproved\n        dataframe['x'] = last[-1]  #~ look_ahead refused",
    "dataframe['x'] = list(reversed(dataframe['close']))  #~ look_ahead unproved, look_ahead unproved",
    "dataframe['x'] = np.append(dataframe['close'][1:], 0)  #~ look_ahead unproved, look_ahead unproved",
    "dataframe['x'] = dataframe['close'][1:].reset_index(drop=True)  #~ look_ahead unproved, look_ahead unproved",
    "dataframe['x'] = [a - b for a, b in zip(dataframe['close'], dataframe['open'])]  #~ look_ahead unproved",
    "for close in dataframe['close']: pass  #~ look_ahead unproved",
    "late = dataframe\n        early = late['close']\n        early.index = early.index - 1  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].rolling(pd.api.indexers.FixedForwardWindowIndexer(window_size=3)).max()  #~ import unproved, look_ahead refused",
    "dataframe['x'] = dataframe['close'].rolling(3).apply(lambda part: dataframe['close'].max())  #~ look_ahead refused",
    "dataframe['x'] = ichimoku(dataframe)['chikou_span']  #~ look_ahead refused, look_ahead unproved",
    "dataframe['x'] = np.fft.fft(dataframe['close'])  #~ look_ahead unproved, look_ahead unproved",
    "dataframe['x'] = dataframe['close'][i + 1]  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].drop(0)  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].shift(1).shift(-2)  #~ look_ahead refused",
    "step = 1\n        step = -1\n        dataframe['x'] = dataframe['close'].shift(step)  #~ look_ahead unproved",
    "ahead = -1\n        dataframe['x'] = dataframe['close'].shift(ahead)  #~ look_ahead refused",
    "for n in (1, -1): dataframe['x'] = dataframe['close'].shift(n)  #~ look_ahead unproved",
    "helper = lambda frame: frame.shift(-1)  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].shift(-(1))  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].shift(1, freq='-1h')  #~ look_ahead unproved",
    "back = dataframe['close'].shift  #~ look_ahead unproved\n        dataframe['x'] = back(-1)",
    "dataframe['x'] = dataframe['close'].rolling(5, 1, True).mean()  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].rolling(**{'window': 5, 'center': True}).mean()  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].rolling(5).mean().max()  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].rolling(3).apply(lambda part: part.max())\n        part = dataframe['close']\n        dataframe['y'] = part.max()  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].rolling(3).apply(lambda part: (part := dataframe['close']).max())  #~ look_ahead refused, look_ahead unproved",
    "dataframe['x'] = dataframe['close'].rolling(3).apply(lambda part: np.roll(dataframe['close'], -1)[0])  #~ look_ahead refused, look_ahead unproved",
    "dataframe['x'] = dataframe['close'].fillna(None, 'bfill')  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].replace(0, method='bfill')  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.groupby('day')['close'].nth(-1)  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.groupby('day')['close'].transform('max')  #~ look_ahead refused",
    "dataframe['x'] = dataframe.groupby('day').cumcount(ascending=False)  #~ look_ahead unproved",
    "places = dataframe['close'].iloc\n        dataframe['x'] = places[-1]  #~ look_ahead refused",
    "last = len(dataframe) - 1\n        dataframe['x'] = dataframe['close'].loc[last]  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.at[500, 'close']  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].get(500)  #~ look_ahead unproved",
    "for i in range(len(dataframe)):\n            j = i + 1\n            dataframe.at[i, 'x'] = dataframe.at[j, 'close']  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].squeeze()  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].sample(frac=1)  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].asof(0)  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].searchsorted(1)  #~ look_ahead unproved",
    "dataframe['x'] = (dataframe['close'] > 1).any()  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'] @ dataframe['open']  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.T[500]  #~ look_ahead unproved, look_ahead unproved",
    "dataframe['x'] = np.average(dataframe['close'])  #~ look_ahead refused",
    "dataframe['x'] = np.maximum.reduce(dataframe['close'])  #~ look_ahead unproved",
    "dataframe['x'] = np.linalg.norm(dataframe['close'])  #~ import unproved",
    "dataframe['x'] = np.r_[dataframe['close'], 0]  #~ import unproved",
    "dataframe['x'] = math.fsum(dataframe['close'])  #~ look_ahead unproved",
    "dataframe['x'] = functools.reduce(max, dataframe['close'])  #~ look_ahead unproved, look_ahead unproved",
    "first, *rest = dataframe['close']  #~ look_ahead unproved",
    "rest = [*dataframe['close']]  #~ look_ahead unproved",
    "for close in dataframe['close'].abs(): pass  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].map(dataframe['open'])  #~ look_ahead unproved",
    "dataframe['x'] = pd.Series(dataframe['close'], index=dataframe.index - 1)  #~ look_ahead unproved",
    "dataframe['date'] = dataframe['date'].shift(1)  #~ look_ahead unproved",
    "self.seen = dataframe['close']  #~ look_ahead unproved",
    "SEEN['x'] = dataframe  #~ look_ahead unproved",
    "SEEN.append(dataframe)  #~ look_ahead unproved",
    "Holder(dataframe)  #~ look_ahead unproved\n        return dataframe\n\n    class Holder:\n        pass\n\n    def populate_more(self, dataframe, metadata):",
    "dataframe['x'] = self.leverage(dataframe)  #~ look_ahead unproved\n        return dataframe\n\n    def leverage(self, frame):\n        return frame['close'].iloc[-1]\n\n    def populate_more(self, dataframe, metadata):",
    "dataframe['x'] = Hostile.look(dataframe)  #~ look_ahead unproved, look_ahead unproved\n        return dataframe\n\n    def look(self):\n        return self['close']\n\n    def populate_more(self, dataframe, metadata):",
    "pass\n\n    def populate_more(self, metadata, dataframe):\n        metadata['x'] = metadata['close'].nth(-1)  #~ look_ahead unproved",
    "daily = self.dp.get_pair_dataframe(metadata['pair'], '1d')\n        dataframe['x'] = daily['close']  #~ look_ahead unproved",
    "daily = self.dp.get_pair_dataframe(metadata['pair'], '1d')\n        dataframe['x'] = daily['close'].iloc[-1]  #~ look_ahead refused, look_ahead unproved",
    "from freqtrade.strategy import merge_informative_pair\n        daily = self.dp.get_pair_dataframe(metadata['pair'], '1d')\n        dataframe = merge_informative_pair(dataframe, daily, '1d', '1d')  #~ look_ahead unproved",
    "from freqtrade.strategy import merge_informative_pair\n        daily = self.dp.get_pair_dataframe(metadata['pair'], '1d')\n        dataframe = merge_informative_pair(dataframe, daily, self.timeframe, '4h')  #~ look_ahead unproved",
    "dataframe = self.dp.get_pair_dataframe(metadata['pair'], '1d')  #~ look_ahead unproved",
    "dataframe['x'] = [column.nth(-1) for _, column in dataframe.items()][0]  #~ look_ahead unproved, look_ahead unproved",
    "match dataframe:  #~ look_ahead unproved\n            case object(shift=back): dataframe['x'] = back(-1)",
    "try: raise ValueError(dataframe)  #~ look_ahead unproved\n        except ValueError as error: dataframe['x'] = error.args[0]['close'].iloc[-1]",
    "dataframe['x'] = dataframe['close'].loc[math.floor(500)]  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].loc[dataframe['n']]  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.loc[dataframe['date'] == '2024-05-01', 'close'].iloc[0]  #~ look_ahead unproved, look_ahead unproved",
    "up = dataframe[dataframe['volume'] > 0]  #~ look_ahead unproved\n        dataframe['x'] = float(up['close'])",
    "dataframe['x'] = dataframe['close'].loc['2024-05-01']  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].loc[dataframe['close'] > 1]  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.groupby('day')['close'].transform('nth', -1)  #~ look_ahead unproved",
    "dataframe['x'] = dataframe['close'].rename({0: 1})  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.set_index('n')['close']  #~ look_ahead unproved",
    "dataframe['x'] = pd.Series(dataframe['close'], dataframe.index - 1)  #~ look_ahead unproved",
    "from pandas import Series\n        dataframe['x'] = Series(dataframe['close'], dataframe.index - 1)  #~ look_ahead unproved",
    "from numpy import mean  #~ look_ahead unproved\n        dataframe['x'] = mean(dataframe['close'])",
    "dataframe['x'] = dataframe['close'].rolling(3).apply(lambda part, whole=dataframe: whole['close'].max())  #~ look_ahead refused",
    "dataframe['x'] = dataframe['close'].rolling(3).obj.nth(-1)  #~ look_ahead unproved, look_ahead unproved",
    "from talib import stream  #~ look_ahead refused\n        dataframe['x'] = stream.SMA(dataframe['close'])",
    "other = self.dp.get_producer_df('BTC/USDT')  #~ look_ahead unproved",
    "dataframe['x'] = ichimoku(dataframe)['chi' + 'kou_span']  #~ look_ahead unproved, look_ahead unproved",
    "pass\n\n    def bot_start(self, **kwargs):\n        self.later = self.dp.get_pair_dataframe('BTC/USDT', '1h')  #~ look_ahead unproved\n\n    def populate_more(self, dataframe, metadata):\n        pass",
    "def merge_informative_pair(left, right, *lengths): return right\n        daily = self.dp.get_pair_dataframe(metadata['pair'], '1d')\n        dataframe = merge_informative_pair(dataframe, daily, self.timeframe, '1d')  #~ look_ahead unproved",
    "dataframe['x'] = dataframe.loc[dataframe.index[-1], 'close']  #~ look_ahead refused, look_ahead unproved",
];

fn at_top_level(code: &str) -> String {
    in_strategy(code, "pass")
}

fn in_populate_method(code: &str) -> String {
    in_strategy("AHEAD = 1\nBACK = -2", code)
}

fn in_strategy(top: &str, populate: &str) -> String {
    format!(
        "import functools
import logging
import math
import typing

import numpy as np
import pandas as pd
from freqtrade.strategy import IStrategy

{top}


class Hostile(IStrategy):
    timeframe = \"1h\"
    stoploss = -0.1

    def populate_indicators(self, dataframe, metadata):
        {populate}
        return dataframe

    def populate_entry_trend(self, dataframe, metadata):
        return dataframe

    def populate_exit_trend(self, dataframe, metadata):
        return dataframe
"
    )
}

type FindingsByLine = BTreeMap<usize, Vec<String>>;

fn expected(source: &str) -> FindingsByLine {
    let lines = source.lines().enumerate();
    let marked = lines.filter_map(|(index, line)| {
        let (_, findings) = line.split_once("#~")?;
        let mut findings: Vec<String> = findings.split(',').map(|finding| finding.trim().to_owned()).collect();
        findings.sort();
        Some((index + 1, findings))
    });
    marked.collect()
}

fn found(source: &str) -> FindingsByLine {
    let report = check(source).unwrap_or_else(|errors| panic!("{errors:?}\n{source}"));
    let mut found = FindingsByLine::new();
    for finding in report.findings {
        let [rule, verdict] = [to_value(finding.rule).unwrap(), to_value(finding.verdict).unwrap()];
        let described = format!("{} {}", rule.as_str().unwrap(), verdict.as_str().unwrap());
        found.entry(finding.line).or_default().push(described);
    }
    found.values_mut().for_each(|findings| findings.sort());
    found
}

fn differences(snippets: &[&str], place: fn(&str) -> String) -> Vec<String> {
    let differences = snippets.iter().filter_map(|code| {
        let source = place(code);
        let (expected, found) = (expected(&source), found(&source));
        assert!(!expected.is_empty(), "{code}");
        (expected != found).then(|| format!("{code}\n    found {found:?}"))
    });
    differences.collect()
}

#[test]
fn unsafe_code_has_exactly_the_expected_findings() {
    let differences = differences(TOP_LEVEL, at_top_level);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}

#[test]
fn no_snippet_is_listed_twice() {
    let all: Vec<_> = TOP_LEVEL.iter().chain(IN_POPULATE_METHOD).collect();
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
    assert!(all.len() >= 60);
}

#[test]
fn look_ahead_bias_has_exactly_the_expected_findings() {
    let differences = differences(IN_POPULATE_METHOD, in_populate_method);
    assert!(differences.is_empty(), "{}", differences.join("\n"));
}
