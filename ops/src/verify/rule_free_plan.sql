-- Users without a subscription in force have the limits of the plan Free, so it must exist.
select 'no plan is named Free' as broken
where not exists (select from public.plans where lower(name) = 'free')
