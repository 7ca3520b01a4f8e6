-- File names are written so that no two paths have the same name: \xNN is a byte
-- that is not UTF-8, and a backslash before xNN in a path is written as \x5C. Until
-- now such a path was written as it is. Bytes below 80 are UTF-8 and were never
-- escaped, so these names came from backslashes.
update cartstream.files
set file_name = regexp_replace(file_name, E'\\\\(x[0-7][0-9A-F])', E'\\\\x5C\\1', 'g')
where file_name ~ E'\\\\x[0-7][0-9A-F]';
update cartstream.dead_letters
set file_name = regexp_replace(file_name, E'\\\\(x[0-7][0-9A-F])', E'\\\\x5C\\1', 'g')
where file_name ~ E'\\\\x[0-7][0-9A-F]';
update cartstream.watches
set patterns = regexp_replace(patterns, E'\\\\(x[0-7][0-9A-F])', E'\\\\x5C\\1', 'g')
where patterns ~ E'\\\\x[0-7][0-9A-F]';
