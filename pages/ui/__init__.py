"""What pages share. The only place besides pages that imports streamlit."""
