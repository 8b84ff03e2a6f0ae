SELECT false AS is_half, false AS is_minus, * FROM calls WHERE NOT is_open
UNION ALL BY NAME
SELECT true AS is_half, false AS is_minus, * FROM halves
UNION ALL BY NAME
SELECT false AS is_half, true AS is_minus, * FROM ({minus})
