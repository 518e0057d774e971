-- The marketplace by date: its first page is read off this index, where else every strategy on offer was looked up and sorted.

create index idx_strategies_on_offer on public.strategies (created_at desc, id)
    where is_public = true and strategy_type = 'marketplace' and is_verified = true;
