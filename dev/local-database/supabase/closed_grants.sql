-- Supabase's default privileges since May 2026, as the platform revokes them. The API roles keep TRUNCATE, REFERENCES
-- and TRIGGER on new tables, and UPDATE on new sequences. PUBLIC keeps EXECUTE on new functions.

alter default privileges for role postgres in schema public
revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
revoke usage, select on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
revoke execute on functions from anon, authenticated, service_role;
