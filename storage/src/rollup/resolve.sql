SELECT false AS is_half, * FROM calls WHERE NOT is_open
UNION ALL BY NAME
SELECT true AS is_half, * FROM halves
