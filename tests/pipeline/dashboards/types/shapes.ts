// What a dashboard's JSON has to be, in Grafana's own types. The test writes each dashboard as an object literal beside this
// file and compiles it: a literal may have no key that its type does not know.
//
// Enumerations are declared as TypeScript enums, which no string literal satisfies; `Plain` turns them into their values.

import type * as grafana from '@grafana/schema';
import type * as bargauge from '@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen';
import type * as logs from '@grafana/schema/dist/esm/raw/composable/logs/panelcfg/x/LogsPanelCfg_types.gen';
import type * as loki from '@grafana/schema/dist/esm/raw/composable/loki/dataquery/x/LokiDataQuery_types.gen';
import type * as stat from '@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen';
import type * as table from '@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen';
import type * as text from '@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen';
import type * as timeseries from '@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen';

type Plain<T> = T extends string
  ? string extends T
    ? T
    : `${T}`
  : T extends number | boolean | null | undefined | Date
    ? T extends number
      ? number extends T
        ? T
        : T | (`${T}` extends `${infer N extends number}` ? N : never)
      : T
    : T extends (infer Item)[]
      ? Plain<Item>[]
      : T extends object
        ? { [Key in keyof T]: Plain<T[Key]> }
        : T;

// Of the data source's own package, which is not published; its keys are in grafana-prometheus/src/types.ts.
interface PrometheusQuery extends grafana.DataQuery {
  datasource: grafana.DataSourceRef;
  editorMode: 'code';
  expr: string;
  format?: 'time_series' | 'table' | 'heatmap';
  instant: boolean;
  legendFormat?: string;
  range: boolean;
  step?: string;
}
type LokiQuery = loki.LokiDataQuery & { datasource: grafana.DataSourceRef };

interface Shape<Type extends string, Options, Custom, Query>
  extends Omit<grafana.Panel, 'type' | 'options' | 'fieldConfig' | 'targets' | 'title' | 'description' | 'gridPos' | 'id'> {
  id: number;
  type: Type;
  title: string;
  description: string;
  gridPos: grafana.GridPos;
  options: Options;
  targets?: Query[];
  fieldConfig: Omit<grafana.FieldConfigSource, 'defaults'> & {
    defaults: Omit<grafana.FieldConfig, 'custom'> & { custom?: Custom };
  };
}

type Of<Query> =
  | Shape<'timeseries', timeseries.Options, timeseries.FieldConfig, Query>
  | Shape<'stat', stat.Options, never, Query>
  | Shape<'table', Omit<table.Options, 'showTypeIcons'>, Partial<table.FieldConfig>, Query>
  | Shape<'bargauge', bargauge.Options, never, Query>
  | Shape<'logs', logs.Options, never, Query>;

type AnyPanel =
  | Of<PrometheusQuery>
  | Of<LokiQuery>
  | Shape<'text', text.Options, never, never>
  | grafana.RowPanel;

// What a data source's annotation support adds: public/app/plugins/datasource/*/…annotation…
interface Annotation extends grafana.AnnotationQuery {
  expr: string;
  titleFormat: string;
  textFormat: string;
  tagKeys: string;
  step?: string;
  maxLines?: number;
}

export type Dashboard = Plain<
  Omit<grafana.Dashboard, 'panels' | 'annotations'> & {
    panels: AnyPanel[];
    annotations: { list: Annotation[] };
  }
>;
