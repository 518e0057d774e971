
export type Json = string | number | boolean | null | { [key: string]: Json | undefined } | Json[]

export type Database = {
  
  "public": {
          Tables: {
            "ai_analyses": {
                  Row: {
                    "analysis_type": string,"bot_id": string | null,"confidence_score": number | null,"created_at": string | null,"id": string,"input_data": NonNullable<Json>,"model_used": string | null,"processing_time_ms": number | null,"recommendations": (string)[] | null,"results": NonNullable<Json>,"strategy_id": string | null,"tokens_used": number | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "analysis_type": string,"bot_id"?: string | null,"confidence_score"?: number | null,"created_at"?: string | null,"id"?: string,"input_data": NonNullable<Json>,"model_used"?: string | null,"processing_time_ms"?: number | null,"recommendations"?: (string)[] | null,"results": NonNullable<Json>,"strategy_id"?: string | null,"tokens_used"?: number | null,"user_id": string
                  }
                  Update: {
                    "analysis_type"?: string,"bot_id"?: string | null,"confidence_score"?: number | null,"created_at"?: string | null,"id"?: string,"input_data"?: NonNullable<Json>,"model_used"?: string | null,"processing_time_ms"?: number | null,"recommendations"?: (string)[] | null,"results"?: NonNullable<Json>,"strategy_id"?: string | null,"tokens_used"?: number | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "ai_analyses_bot_id_fkey"
      columns: ["bot_id"]
isOneToOne: false
      referencedRelation: "bot_performance_summary"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "ai_analyses_bot_id_fkey"
      columns: ["bot_id"]
isOneToOne: false
      referencedRelation: "bots"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "ai_analyses_strategy_id_fkey"
      columns: ["strategy_id"]
isOneToOne: false
      referencedRelation: "strategies"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "ai_analyses_strategy_id_fkey"
      columns: ["strategy_id"]
isOneToOne: false
      referencedRelation: "strategy_marketplace"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "ai_analyses_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"backtest_results": {
                  Row: {
                    "avg_trade": number | null,"best_trade": number,"calmar_ratio": number | null,"created_at": string | null,"end_date": string,"final_balance": number,"id": string,"initial_balance": number,"losing_trades": number,"max_consecutive_losses": number | null,"max_consecutive_wins": number | null,"max_drawdown": number,"metadata": Json | null,"profit_factor": number | null,"sharpe_ratio": number | null,"sortino_ratio": number | null,"start_date": string,"strategy_id": string,"timeframe": string,"total_return": number,"total_return_percentage": number,"total_trades": number,"trading_pair": string,"user_id": string,"win_rate": number,"winning_trades": number,"worst_trade": number
                  }
                  ComputedFields: never
                  Insert: {
                    "avg_trade"?: number | null,"best_trade": number,"calmar_ratio"?: number | null,"created_at"?: string | null,"end_date": string,"final_balance": number,"id"?: string,"initial_balance": number,"losing_trades": number,"max_consecutive_losses"?: number | null,"max_consecutive_wins"?: number | null,"max_drawdown": number,"metadata"?: Json | null,"profit_factor"?: number | null,"sharpe_ratio"?: number | null,"sortino_ratio"?: number | null,"start_date": string,"strategy_id": string,"timeframe": string,"total_return": number,"total_return_percentage": number,"total_trades": number,"trading_pair": string,"user_id": string,"win_rate": number,"winning_trades": number,"worst_trade": number
                  }
                  Update: {
                    "avg_trade"?: number | null,"best_trade"?: number,"calmar_ratio"?: number | null,"created_at"?: string | null,"end_date"?: string,"final_balance"?: number,"id"?: string,"initial_balance"?: number,"losing_trades"?: number,"max_consecutive_losses"?: number | null,"max_consecutive_wins"?: number | null,"max_drawdown"?: number,"metadata"?: Json | null,"profit_factor"?: number | null,"sharpe_ratio"?: number | null,"sortino_ratio"?: number | null,"start_date"?: string,"strategy_id"?: string,"timeframe"?: string,"total_return"?: number,"total_return_percentage"?: number,"total_trades"?: number,"trading_pair"?: string,"user_id"?: string,"win_rate"?: number,"winning_trades"?: number,"worst_trade"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "backtest_results_strategy_id_fkey"
      columns: ["strategy_id"]
isOneToOne: false
      referencedRelation: "strategies"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "backtest_results_strategy_id_fkey"
      columns: ["strategy_id"]
isOneToOne: false
      referencedRelation: "strategy_marketplace"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "backtest_results_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"bots": {
                  Row: {
                    "created_at": string | null,"current_balance": number,"error_message": string | null,"exchange": string,"id": string,"initial_balance": number,"is_paper_trade": boolean | null,"last_trade_at": string | null,"losing_trades": number | null,"max_open_trades": number | null,"metadata": Json | null,"name": string,"profit": number | null,"profit_percentage": number | null,"request_hash": string | null,"risk_percentage": number | null,"stake_amount": number,"status": string | null,"stop_loss": number | null,"strategy": string,"take_profit": number | null,"timeframe": string,"total_trades": number | null,"trading_pair": string,"updated_at": string | null,"user_id": string,"winning_trades": number | null
                  }
                  ComputedFields: never
                  Insert: {
                    "created_at"?: string | null,"current_balance": number,"error_message"?: string | null,"exchange": string,"id"?: string,"initial_balance": number,"is_paper_trade"?: boolean | null,"last_trade_at"?: string | null,"losing_trades"?: number | null,"max_open_trades"?: number | null,"metadata"?: Json | null,"name": string,"profit"?: number | null,"profit_percentage"?: number | null,"request_hash"?: string | null,"risk_percentage"?: number | null,"stake_amount": number,"status"?: string | null,"stop_loss"?: number | null,"strategy": string,"take_profit"?: number | null,"timeframe": string,"total_trades"?: number | null,"trading_pair": string,"updated_at"?: string | null,"user_id": string,"winning_trades"?: number | null
                  }
                  Update: {
                    "created_at"?: string | null,"current_balance"?: number,"error_message"?: string | null,"exchange"?: string,"id"?: string,"initial_balance"?: number,"is_paper_trade"?: boolean | null,"last_trade_at"?: string | null,"losing_trades"?: number | null,"max_open_trades"?: number | null,"metadata"?: Json | null,"name"?: string,"profit"?: number | null,"profit_percentage"?: number | null,"request_hash"?: string | null,"risk_percentage"?: number | null,"stake_amount"?: number,"status"?: string | null,"stop_loss"?: number | null,"strategy"?: string,"take_profit"?: number | null,"timeframe"?: string,"total_trades"?: number | null,"trading_pair"?: string,"updated_at"?: string | null,"user_id"?: string,"winning_trades"?: number | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "bots_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"invoices": {
                  Row: {
                    "amount": number,"checked_at": string | null,"checkout_url": string | null,"created_at": string | null,"customer_email": string | null,"customer_name": string | null,"customer_phone": string | null,"description": string | null,"expired_at": string | null,"id": string,"paid_at": string | null,"pay_code": string | null,"pay_url": string | null,"payment_channel": string | null,"payment_method": string | null,"period": string | null,"plan_id": string | null,"qr_url": string | null,"reference_id": string | null,"refunded_at": string | null,"renews_subscription_id": string | null,"request_hash": string | null,"status": string,"transaction_id": string | null,"tripay_invoice_id": string | null,"tripay_merchant_id": string | null,"updated_at": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount": number,"checked_at"?: string | null,"checkout_url"?: string | null,"created_at"?: string | null,"customer_email"?: string | null,"customer_name"?: string | null,"customer_phone"?: string | null,"description"?: string | null,"expired_at"?: string | null,"id"?: string,"paid_at"?: string | null,"pay_code"?: string | null,"pay_url"?: string | null,"payment_channel"?: string | null,"payment_method"?: string | null,"period"?: string | null,"plan_id"?: string | null,"qr_url"?: string | null,"reference_id"?: string | null,"refunded_at"?: string | null,"renews_subscription_id"?: string | null,"request_hash"?: string | null,"status": string,"transaction_id"?: string | null,"tripay_invoice_id"?: string | null,"tripay_merchant_id"?: string | null,"updated_at"?: string | null,"user_id": string
                  }
                  Update: {
                    "amount"?: number,"checked_at"?: string | null,"checkout_url"?: string | null,"created_at"?: string | null,"customer_email"?: string | null,"customer_name"?: string | null,"customer_phone"?: string | null,"description"?: string | null,"expired_at"?: string | null,"id"?: string,"paid_at"?: string | null,"pay_code"?: string | null,"pay_url"?: string | null,"payment_channel"?: string | null,"payment_method"?: string | null,"period"?: string | null,"plan_id"?: string | null,"qr_url"?: string | null,"reference_id"?: string | null,"refunded_at"?: string | null,"renews_subscription_id"?: string | null,"request_hash"?: string | null,"status"?: string,"transaction_id"?: string | null,"tripay_invoice_id"?: string | null,"tripay_merchant_id"?: string | null,"updated_at"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "invoices_plan_id_fkey"
      columns: ["plan_id"]
isOneToOne: false
      referencedRelation: "plans"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "invoices_renews_subscription_id_fkey"
      columns: ["renews_subscription_id"]
isOneToOne: false
      referencedRelation: "subscriptions"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "invoices_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"logs": {
                  Row: {
                    "bot_id": string | null,"context": Json | null,"created_at": string | null,"id": string,"log_level": string,"message": string,"source": string | null,"strategy_id": string | null,"user_id": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "bot_id"?: string | null,"context"?: Json | null,"created_at"?: string | null,"id"?: string,"log_level": string,"message": string,"source"?: string | null,"strategy_id"?: string | null,"user_id"?: string | null
                  }
                  Update: {
                    "bot_id"?: string | null,"context"?: Json | null,"created_at"?: string | null,"id"?: string,"log_level"?: string,"message"?: string,"source"?: string | null,"strategy_id"?: string | null,"user_id"?: string | null
                  }
                  Relationships: [
                    {
      foreignKeyName: "logs_bot_id_fkey"
      columns: ["bot_id"]
isOneToOne: false
      referencedRelation: "bot_performance_summary"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "logs_bot_id_fkey"
      columns: ["bot_id"]
isOneToOne: false
      referencedRelation: "bots"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "logs_strategy_id_fkey"
      columns: ["strategy_id"]
isOneToOne: false
      referencedRelation: "strategies"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "logs_strategy_id_fkey"
      columns: ["strategy_id"]
isOneToOne: false
      referencedRelation: "strategy_marketplace"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "logs_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"notifications": {
                  Row: {
                    "body": string,"context": NonNullable<Json>,"created_at": string,"fact": string | null,"id": string,"kind": string,"read_at": string | null,"title": string,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "body": string,"context"?: NonNullable<Json>,"created_at"?: string,"fact"?: string | null,"id"?: string,"kind": string,"read_at"?: string | null,"title": string,"user_id": string
                  }
                  Update: {
                    "body"?: string,"context"?: NonNullable<Json>,"created_at"?: string,"fact"?: string | null,"id"?: string,"kind"?: string,"read_at"?: string | null,"title"?: string,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "notifications_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"plans": {
                  Row: {
                    "ai_requests_per_month": number | null,"api_access": boolean | null,"backtest_minutes_per_month": number | null,"created_at": string | null,"custom_strategies": boolean | null,"description": string | null,"features": NonNullable<Json>,"id": string,"is_active": boolean | null,"max_bots": number,"max_strategies": number,"name": string,"price_monthly": number,"price_yearly": number | null,"priority_support": boolean | null,"sort_order": number | null,"updated_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "ai_requests_per_month"?: number | null,"api_access"?: boolean | null,"backtest_minutes_per_month"?: number | null,"created_at"?: string | null,"custom_strategies"?: boolean | null,"description"?: string | null,"features": NonNullable<Json>,"id"?: string,"is_active"?: boolean | null,"max_bots": number,"max_strategies": number,"name": string,"price_monthly": number,"price_yearly"?: number | null,"priority_support"?: boolean | null,"sort_order"?: number | null,"updated_at"?: string | null
                  }
                  Update: {
                    "ai_requests_per_month"?: number | null,"api_access"?: boolean | null,"backtest_minutes_per_month"?: number | null,"created_at"?: string | null,"custom_strategies"?: boolean | null,"description"?: string | null,"features"?: NonNullable<Json>,"id"?: string,"is_active"?: boolean | null,"max_bots"?: number,"max_strategies"?: number,"name"?: string,"price_monthly"?: number,"price_yearly"?: number | null,"priority_support"?: boolean | null,"sort_order"?: number | null,"updated_at"?: string | null
                  }
                  Relationships: [
                    
                  ]
                },"strategies": {
                  Row: {
                    "backtest_results": Json | null,"category": string | null,"content": string | null,"created_at": string | null,"description": string | null,"id": string,"is_public": boolean | null,"is_verified": boolean | null,"name": string,"parameters": Json | null,"performance": Json | null,"risk_level": string | null,"strategy_type": string,"tags": (string)[] | null,"updated_at": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "backtest_results"?: Json | null,"category"?: string | null,"content"?: string | null,"created_at"?: string | null,"description"?: string | null,"id"?: string,"is_public"?: boolean | null,"is_verified"?: boolean | null,"name": string,"parameters"?: Json | null,"performance"?: Json | null,"risk_level"?: string | null,"strategy_type": string,"tags"?: (string)[] | null,"updated_at"?: string | null,"user_id": string
                  }
                  Update: {
                    "backtest_results"?: Json | null,"category"?: string | null,"content"?: string | null,"created_at"?: string | null,"description"?: string | null,"id"?: string,"is_public"?: boolean | null,"is_verified"?: boolean | null,"name"?: string,"parameters"?: Json | null,"performance"?: Json | null,"risk_level"?: string | null,"strategy_type"?: string,"tags"?: (string)[] | null,"updated_at"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "strategies_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"subscriptions": {
                  Row: {
                    "anchored_at": string | null,"auto_renew": boolean | null,"cancelled_at": string | null,"created_at": string | null,"credited_from": string | null,"expires_at": string,"id": string,"invoice_id": string | null,"period_months": number | null,"plan_id": string,"started_at": string,"status": string,"trial_ends_at": string | null,"updated_at": string | null,"user_id": string,"value": number
                  }
                  ComputedFields: never
                  Insert: {
                    "anchored_at"?: string | null,"auto_renew"?: boolean | null,"cancelled_at"?: string | null,"created_at"?: string | null,"credited_from"?: string | null,"expires_at": string,"id"?: string,"invoice_id"?: string | null,"period_months"?: number | null,"plan_id": string,"started_at": string,"status": string,"trial_ends_at"?: string | null,"updated_at"?: string | null,"user_id": string,"value"?: number
                  }
                  Update: {
                    "anchored_at"?: string | null,"auto_renew"?: boolean | null,"cancelled_at"?: string | null,"created_at"?: string | null,"credited_from"?: string | null,"expires_at"?: string,"id"?: string,"invoice_id"?: string | null,"period_months"?: number | null,"plan_id"?: string,"started_at"?: string,"status"?: string,"trial_ends_at"?: string | null,"updated_at"?: string | null,"user_id"?: string,"value"?: number
                  }
                  Relationships: [
                    {
      foreignKeyName: "subscriptions_credited_from_fkey"
      columns: ["credited_from"]
isOneToOne: false
      referencedRelation: "subscriptions"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "subscriptions_invoice_id_fkey"
      columns: ["invoice_id"]
isOneToOne: false
      referencedRelation: "invoices"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "subscriptions_plan_id_fkey"
      columns: ["plan_id"]
isOneToOne: false
      referencedRelation: "plans"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "subscriptions_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"trades": {
                  Row: {
                    "amount": number,"bot_id": string,"created_at": string | null,"entry_time": string,"exchange": string,"exchange_order_id": string | null,"exchange_trade_id": string | null,"exit_price": number | null,"exit_time": string | null,"fee": number | null,"holding_duration": string | null,"id": string,"is_paper_trade": boolean | null,"metadata": Json | null,"order_type": string,"price": number,"profit": number | null,"profit_percentage": number | null,"side": string,"signal_price": number | null,"status": string | null,"stop_loss_price": number | null,"take_profit_price": number | null,"trading_pair": string,"updated_at": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Insert: {
                    "amount": number,"bot_id": string,"created_at"?: string | null,"entry_time": string,"exchange": string,"exchange_order_id"?: string | null,"exchange_trade_id"?: string | null,"exit_price"?: number | null,"exit_time"?: string | null,"fee"?: number | null,"holding_duration"?: string | null,"id"?: string,"is_paper_trade"?: boolean | null,"metadata"?: Json | null,"order_type": string,"price": number,"profit"?: number | null,"profit_percentage"?: number | null,"side": string,"signal_price"?: number | null,"status"?: string | null,"stop_loss_price"?: number | null,"take_profit_price"?: number | null,"trading_pair": string,"updated_at"?: string | null,"user_id": string
                  }
                  Update: {
                    "amount"?: number,"bot_id"?: string,"created_at"?: string | null,"entry_time"?: string,"exchange"?: string,"exchange_order_id"?: string | null,"exchange_trade_id"?: string | null,"exit_price"?: number | null,"exit_time"?: string | null,"fee"?: number | null,"holding_duration"?: string | null,"id"?: string,"is_paper_trade"?: boolean | null,"metadata"?: Json | null,"order_type"?: string,"price"?: number,"profit"?: number | null,"profit_percentage"?: number | null,"side"?: string,"signal_price"?: number | null,"status"?: string | null,"stop_loss_price"?: number | null,"take_profit_price"?: number | null,"trading_pair"?: string,"updated_at"?: string | null,"user_id"?: string
                  }
                  Relationships: [
                    {
      foreignKeyName: "trades_bot_id_fkey"
      columns: ["bot_id"]
isOneToOne: false
      referencedRelation: "bot_performance_summary"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "trades_bot_id_fkey"
      columns: ["bot_id"]
isOneToOne: false
      referencedRelation: "bots"
      referencedColumns: ["id"]
    },{
      foreignKeyName: "trades_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"users": {
                  Row: {
                    "avatar_url": string | null,"created_at": string | null,"email": string,"exchange_credentials": Json | null,"full_name": string | null,"id": string,"is_active": boolean | null,"last_login_at": string | null,"preferences": Json | null,"subscription_plan": string | null,"updated_at": string | null
                  }
                  ComputedFields: never
                  Insert: {
                    "avatar_url"?: string | null,"created_at"?: string | null,"email": string,"exchange_credentials"?: Json | null,"full_name"?: string | null,"id"?: string,"is_active"?: boolean | null,"last_login_at"?: string | null,"preferences"?: Json | null,"subscription_plan"?: string | null,"updated_at"?: string | null
                  }
                  Update: {
                    "avatar_url"?: string | null,"created_at"?: string | null,"email"?: string,"exchange_credentials"?: Json | null,"full_name"?: string | null,"id"?: string,"is_active"?: boolean | null,"last_login_at"?: string | null,"preferences"?: Json | null,"subscription_plan"?: string | null,"updated_at"?: string | null
                  }
                  Relationships: [
                    
                  ]
                }
          }
          Views: {
            "bot_performance_summary": {
                  Row: {
                    "created_at": string | null,"current_balance": number,"error_message": string | null,"exchange": string,"id": string,"initial_balance": number,"is_paper_trade": boolean | null,"last_trade_at": string | null,"losing_trades": number | null,"max_open_trades": number | null,"metadata": Json | null,"name": string,"profit": number | null,"profit_percentage": number | null,"risk_percentage": number | null,"stake_amount": number,"status": string | null,"stop_loss": number | null,"strategy": string,"take_profit": number | null,"timeframe": string,"total_trades": number | null,"trading_pair": string,"updated_at": string | null,"user_email": string,"user_id": string,"user_name": string | null,"win_rate_percentage": number | null,"winning_trades": number | null
                  }
                  ComputedFields: never
                  Relationships: [
                    {
      foreignKeyName: "bots_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                },"strategy_marketplace": {
                  Row: {
                    "author_name": string | null,"avg_return_percentage": number | null,"backtest_count": number | null,"backtest_results": Json | null,"category": string | null,"content": string | null,"created_at": string | null,"description": string | null,"id": string,"is_public": boolean | null,"is_verified": boolean | null,"name": string,"parameters": Json | null,"performance": Json | null,"risk_level": string | null,"strategy_type": string,"tags": (string)[] | null,"updated_at": string | null,"user_id": string
                  }
                  ComputedFields: never
                  Relationships: [
                    {
      foreignKeyName: "strategies_user_id_fkey"
      columns: ["user_id"]
isOneToOne: false
      referencedRelation: "users"
      referencedColumns: ["id"]
    }
                  ]
                }
          }
          Functions: {
            "get_user_trading_performance":
{ Args: { "days_back"?: number,"user_uuid": string }; Returns: {
              "average_holding": string,"average_profit": number,"best_trade": number,"currency": string,"losing_trades": number,"profit_by_currency": Json,"profit_factor": number,"total_profit": number,"total_trades": number,"win_rate_percentage": number,"winning_trades": number,"worst_trade": number
            }[]
                           }
          }
          Enums: {
            [_ in never]: never
          }
          CompositeTypes: {
            [_ in never]: never
          }
        }
}

type DatabaseWithoutInternals = Omit<Database, '__InternalSupabase'>

type DefaultSchema = DatabaseWithoutInternals[Extract<keyof Database, "public">]

export type Tables<
  DefaultSchemaTableNameOrOptions extends
    | keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
        DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? (DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"] &
      DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Views"])[TableName] extends {
      Row: infer R
    }
    ? R
    : never
  : DefaultSchemaTableNameOrOptions extends keyof (DefaultSchema["Tables"] & DefaultSchema["Views"])
  ? (DefaultSchema["Tables"] & DefaultSchema["Views"])[DefaultSchemaTableNameOrOptions] extends {
      Row: infer R
    }
    ? R
    : never
  : never

export type TablesInsert<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Insert: infer I
    }
    ? I
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Insert: infer I
    }
    ? I
    : never
  : never

export type TablesUpdate<
  DefaultSchemaTableNameOrOptions extends
    | keyof DefaultSchema["Tables"]
    | { schema: keyof DatabaseWithoutInternals },
  TableName extends DefaultSchemaTableNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"]
    : never = never
> = DefaultSchemaTableNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaTableNameOrOptions["schema"]]["Tables"][TableName] extends {
      Update: infer U
    }
    ? U
    : never
  : DefaultSchemaTableNameOrOptions extends keyof DefaultSchema["Tables"]
  ? DefaultSchema["Tables"][DefaultSchemaTableNameOrOptions] extends {
      Update: infer U
    }
    ? U
    : never
  : never

export type Enums<
  DefaultSchemaEnumNameOrOptions extends
    | keyof DefaultSchema["Enums"]
    | { schema: keyof DatabaseWithoutInternals },
  EnumName extends DefaultSchemaEnumNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"]
    : never = never
> = DefaultSchemaEnumNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[DefaultSchemaEnumNameOrOptions["schema"]]["Enums"][EnumName]
  : DefaultSchemaEnumNameOrOptions extends keyof DefaultSchema["Enums"]
  ? DefaultSchema["Enums"][DefaultSchemaEnumNameOrOptions]
  : never

export type CompositeTypes<
  PublicCompositeTypeNameOrOptions extends
    | keyof DefaultSchema["CompositeTypes"]
    | { schema: keyof DatabaseWithoutInternals },
  CompositeTypeName extends PublicCompositeTypeNameOrOptions extends {
    schema: keyof DatabaseWithoutInternals
  }
    ? keyof DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"]
    : never = never
> = PublicCompositeTypeNameOrOptions extends { schema: keyof DatabaseWithoutInternals }
  ? DatabaseWithoutInternals[PublicCompositeTypeNameOrOptions["schema"]]["CompositeTypes"][CompositeTypeName]
  : PublicCompositeTypeNameOrOptions extends keyof DefaultSchema["CompositeTypes"]
  ? DefaultSchema["CompositeTypes"][PublicCompositeTypeNameOrOptions]
  : never

export const Constants = {
  "public": {
          Enums: {
            
          }
        }
} as const
