-- What a check finds in the sample strategies' sources: nothing, as a test shows.
-- Refuses to run unless it was asked for, as the rest of the sample data does.

do $$
begin
    if coalesce(current_setting('nofomo.sample_data', true), '') <> 'on' then
        raise exception 'sample data is for development and was not asked for'
        using hint = 'Run `cargo dev migrate --sample-data`, or leave this file out.';
    end if;
end
$$;

insert into private.strategy_sources (
    strategy_id, source_hash, stored_at, class_name, interface_version, timeframe, can_short, checker_version, findings
)
select
    strategies.id, sha256(convert_to(strategies.content, 'UTF8')), strategies.created_at, sample.class_name, 3,
    sample.timeframe, false, 1, '[]'
from public.strategies
inner join (
    values
        ('0190e000-0000-7000-8000-000000000001'::uuid, 'OversoldRsi', '1h'),
        ('0190e000-0000-7000-8000-000000000002'::uuid, 'EmaCross', '4h'),
        ('0190e000-0000-7000-8000-000000000003'::uuid, 'BollingerSqueeze', '15m')
) as sample (id, class_name, timeframe)
    on sample.id = strategies.id
-- Who has sent the source since knows more.
on conflict (strategy_id) do nothing;
