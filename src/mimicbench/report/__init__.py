"""What people look at: tables now, figures later."""
