-- What the marketplace offers has been checked as it is now, and nothing was found in it.
select format('strategy %s is verified, and its source has no clean check', strategies.id) as broken
from public.strategies
left join private.strategy_sources as source
    on
        source.strategy_id = strategies.id
        and source.source_hash = sha256(convert_to(strategies.content, 'UTF8'))
where strategies.is_verified and source.findings is distinct from '[]'
order by strategies.id
limit 20
