-- Whoever has no subscription in force has this plan's limits.
select 'no plan is named Free' as broken
where not exists (select from public.plans where lower(name) = 'free')
