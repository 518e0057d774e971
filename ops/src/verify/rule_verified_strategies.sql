-- Every verified strategy of the marketplace has a check of its current source, without findings.
select format('strategy %s is verified, but its source has no clean check', strategies.id) as broken
from public.strategies
left join private.strategy_sources as source
    on
        source.strategy_id = strategies.id
        and source.source_hash = sha256(convert_to(strategies.content, 'UTF8'))
where strategies.is_verified and source.findings is distinct from '[]'
order by strategies.id
limit 20
